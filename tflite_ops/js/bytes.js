// Bytes in whatever form they are given.

/** A Uint8Array of the same memory. */
export function asBytes(given, name) {
  if (given instanceof Uint8Array) return given;
  if (ArrayBuffer.isView(given)) {
    return new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  }
  if (given instanceof ArrayBuffer) return new Uint8Array(given);
  const type = given === null ? "null" : (given?.constructor?.name ?? typeof given);
  throw new TypeError(
    `\`${name}\` must be an ArrayBuffer or a view of one, such as a Uint8Array. Received: ${type}`,
  );
}
