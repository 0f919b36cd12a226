// keras_dc.wasm, loaded once.
import { UnpackError } from "./errors.js";

let defaultSource;
let loading;

/** How the file is found where nobody says where it is: a function, see `loadDecoder`. */
export function setDefaultSource(source) {
  defaultSource = source;
}

/** Loads the decoder, from elsewhere than the package or ahead of its use. */
export async function loadDecoder(source) {
  await begin(source ?? defaultSource());
}

/** The compiled WebAssembly.Module. */
export function wasmModule() {
  return loading ?? begin(defaultSource());
}

function begin(source) {
  const begun = compiled(source);
  loading = begun;
  // What failed is tried again the next time.
  begun.catch(() => {
    if (loading === begun) loading = undefined;
  });
  return begun;
}

async function compiled(given) {
  let source = await given;
  if (source instanceof WebAssembly.Module) return source;
  if (typeof source === "string" || source instanceof URL) source = await fetch(source);
  if (!(source instanceof Response)) return WebAssembly.compile(source);
  const type = source.headers.get("content-type") ?? "";
  // Some servers send their start page for whatever they do not have.
  if (!source.ok || type.startsWith("text/html")) {
    throw new UnpackError(
      "http",
      "keras_dc.wasm must be served beside the package's JavaScript, or be given to " +
        `loadDecoder. Received: HTTP ${source.status}, ${type || "of no type"}, of ${source.url}`,
    );
  }
  if (type.startsWith("application/wasm")) return WebAssembly.compileStreaming(source);
  return WebAssembly.compile(await source.arrayBuffer());
}
