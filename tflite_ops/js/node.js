// The package in Node.js.
import { readFile } from "node:fs/promises";

import { setDefaultSource } from "./wasm.js";

setDefaultSource(() => readFile(new URL("./keras_dc.wasm", import.meta.url)));

export * from "./api.js";
