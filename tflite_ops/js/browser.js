// The package in browsers.
import { setDefaultSource } from "./wasm.js";

// Bundlers know this form, and put the file beside the program.
setDefaultSource(() => fetch(new URL("./keras_dc.wasm", import.meta.url)));

export * from "./api.js";
