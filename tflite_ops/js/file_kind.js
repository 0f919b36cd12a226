// What a file is, by its bytes.
import { asBytes } from "./bytes.js";
import { compressedModel, notPacked } from "./errors.js";

const PACKED = "KDP";
const FLAGS_AT = 4;
const PATCH_BIT = 1;
const TFLITE = "TFL3";
const TFLITE_AT = 4;
const OP_PREFIX = "KerasDc";
const LONGEST_NAME = 64;
// Fields of tables in TFLite's schema.
const MODEL_OPERATOR_CODES = 1;
const OPERATOR_CODE_CUSTOM_CODE = 1;

/** See index.d.ts. */
export function fileKind(bytes) {
  const file = asBytes(bytes, "bytes");
  if (textAt(file, 0, PACKED.length) === PACKED) {
    return (file[FLAGS_AT] & PATCH_BIT) !== 0 ? "patch" : "packed";
  }
  const ops = compressedOps(file);
  if (ops === null) return "other";
  return ops.length > 0 ? "compressed-tflite" : "tflite";
}

/** See index.d.ts. */
export function needsUnpacking(bytes) {
  const file = asBytes(bytes, "bytes");
  switch (fileKind(file)) {
    case "packed":
    case "patch":
      return true;
    case "tflite":
      return false;
    case "compressed-tflite":
      throw compressedModel(compressedOps(file));
    default:
      throw notPacked(file);
  }
}

/** Whether the bytes, maybe only the first of a file, begin as a .tflite file does. */
export function beginsAsTflite(file) {
  return textAt(file, TFLITE_AT, TFLITE.length) === TFLITE;
}

/** The names of keras_dc's ops in a .tflite file; null if it is none that can be read. */
export function compressedOps(file) {
  if (!beginsAsTflite(file)) return null;
  try {
    return customOps(file).filter((name) => name.startsWith(OP_PREFIX));
  } catch (error) {
    // Beyond the end of the file.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** The names of all custom ops of a model. Throws RangeError for what leads out of the file. */
function customOps(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const followed = (at) => at + view.getUint32(at, true);
  const field = (table, number) => {
    const fields = table - view.getInt32(table, true);
    const fieldsSize = view.getUint16(fields, true);
    if (fieldsSize < 4) throw new RangeError("no table");
    const entry = 4 + 2 * number;
    if (entry >= fieldsSize) return 0;
    const offset = view.getUint16(fields + entry, true);
    return offset === 0 ? 0 : table + offset;
  };
  const codes = field(followed(0), MODEL_OPERATOR_CODES);
  if (codes === 0) return [];
  const vector = followed(codes);
  const names = [];
  for (let i = 0; i < view.getUint32(vector, true); ++i) {
    const name = field(followed(vector + 4 + 4 * i), OPERATOR_CODE_CUSTOM_CODE);
    if (name === 0) continue;
    const text = followed(name);
    const size = view.getUint32(text, true);
    if (size > file.length - text - 4) throw new RangeError("a name ends behind the file");
    names.push(textAt(file, text + 4, Math.min(size, LONGEST_NAME)));
  }
  return names;
}

function textAt(file, at, size) {
  return String.fromCharCode(...file.subarray(at, at + size));
}
