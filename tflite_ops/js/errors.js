// What is wrong with a file, in sentences.

/** The statuses of the C library (keras_dc/codec.h) that have a code of their own. */
export const Status = Object.freeze({
  OK: 0,
  OUT_OF_MEMORY: 2,
  BAD_MAGIC: 4,
  UNSUPPORTED_VERSION: 5,
  BAD_CHECKSUM: 6,
  TRUNCATED: 7,
  TOO_LARGE: 10,
  WRONG_BASE: 14,
});

/** A file that cannot be unpacked; see index.d.ts. */
export class UnpackError extends Error {
  constructor(code, message, { status, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "UnpackError";
    this.code = code;
    this.status = status;
  }
}

/** The error of a status, for a file of `size` bytes. */
export function errorOfStatus(status, size) {
  const received = `Received: ${count(size)} (status ${status})`;
  const make = (code, sentence) => new UnpackError(code, `${sentence} ${received}`, { status });
  switch (status) {
    case Status.OUT_OF_MEMORY:
      return outOfMemory();
    case Status.UNSUPPORTED_VERSION:
      return make(
        "version",
        "this version of keras-dc reads packed files of format version 1; a newer one may " +
          "read this file.",
      );
    case Status.BAD_CHECKSUM:
      return make("checksum", "the packed file is damaged: its content must have its checksum.");
    case Status.TRUNCATED:
      return make("truncated", "the packed file ends before the data that it declares.");
    default:
      return make("damaged", "the packed file is damaged, or was made to mislead.");
  }
}

/** More memory is needed than there is. */
export function outOfMemory(cause) {
  return new UnpackError(
    "memory",
    "unpacking needs more memory than WebAssembly has here, at most 2 GiB. " +
      `Received: ${cause?.message ?? "no memory"}`,
    { status: Status.OUT_OF_MEMORY, cause },
  );
}

/** The file is no packed one. */
export function notPacked(bytes, kind, status = Status.BAD_MAGIC) {
  const begin = [...bytes.subarray(0, 8)];
  const hex = begin.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const text = begin.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "."));
  let hint = "";
  if (kind === "tflite") {
    hint =
      " This is a .tflite file, which runs as it is unless it is a compressed one: ask " +
      "needsUnpacking(bytes) first.";
  } else if (text[0] === "<") {
    hint = " This looks like a page of HTML: is the address right?";
  }
  return new UnpackError(
    "not-packed",
    `a packed file (.kdc) begins with "KDP".${hint} ` +
      (begin.length
        ? `Received: bytes that begin with ${hex} ("${text.join("")}")`
        : "Received: no bytes"),
    { status },
  );
}

/** The model has ops that no runtime in a browser knows. */
export function compressedModel(ops) {
  return new UnpackError(
    "compressed-model",
    "a compressed .tflite file runs with keras_dc's own ops alone. LiteRT.js does not know " +
      "them: it runs the file, raises nothing and returns garbage. Make a packed file of the " +
      "ordinary model, `keras-dc expand small.tflite -o plain.tflite` and `keras-dc pack " +
      "plain.tflite -o model.kdc`, and unpack that. " +
      `Received: a .tflite file with the ops ${ops.join(", ")}`,
  );
}

/** "1,234 bytes". */
export function count(size) {
  return `${size.toLocaleString("en-US")} bytes`;
}
