// Bytes in whatever form they are given.

/** A Uint8Array of the same memory. */
export function asBytes(given, name) {
  if (given instanceof Uint8Array) return given;
  if (ArrayBuffer.isView(given)) {
    return new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  }
  if (given instanceof ArrayBuffer) return new Uint8Array(given);
  throw new TypeError(
    `\`${name}\` must be an ArrayBuffer or a view of one, such as a Uint8Array. Received: ${typeName(given)}`,
  );
}

/** What a value is, for a message. */
export function typeName(value) {
  return value === null ? "null" : (value?.constructor?.name ?? typeof value);
}
