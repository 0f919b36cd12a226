// What the package exports; index.d.ts tells what each is.
export { UnpackError } from "./errors.js";
export { fileKind, needsUnpacking } from "./file_kind.js";
export { unpack, unpackFrom } from "./unpack.js";
export { loadDecoder } from "./wasm.js";
