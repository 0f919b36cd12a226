// What a program in TypeScript does with the package; it is compiled, never run.
import {
  fileKind,
  loadDecoder,
  needsUnpacking,
  unpack,
  unpackFrom,
  UnpackError,
  type FileKind,
  type Progress,
  type UnpackErrorCode,
  type UnpackOptions,
} from "keras-dc";

const options: UnpackOptions = {
  maxBytes: 1_000_000,
  onProgress: ({ phase, doneBytes, totalBytes }: Progress) =>
    console.log(phase === "download", doneBytes / (totalBytes ?? 1)),
  signal: new AbortController().signal,
};

export async function load(url: URL, base: ArrayBuffer): Promise<Uint8Array> {
  await loadDecoder(fetch("keras_dc.wasm"));
  try {
    const model: Uint8Array = await unpackFrom(url, options);
    const kind: FileKind = fileKind(model);
    return kind === "patch" && needsUnpacking(model) ? await unpack(model, { base }) : model;
  } catch (error) {
    if (error instanceof UnpackError) {
      const code: UnpackErrorCode = error.code;
      console.error(code, error.status?.toFixed(), error.message);
    }
    throw error;
  }
}

// @ts-expect-error: no such option.
unpack(new Uint8Array(), { maxbytes: 3 });
// @ts-expect-error: a path is no bytes.
unpack("model.kdc");
