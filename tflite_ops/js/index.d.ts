/** Bytes in memory: an ArrayBuffer, or any view of one. */
export type Bytes = ArrayBuffer | ArrayBufferView;

export interface Progress {
  /** "download" comes with `unpackFrom` alone, and before "unpack". */
  phase: "download" | "unpack";
  /** Of the packed file, then of the file in it. Equal to `totalBytes` at the end of a phase. */
  doneBytes: number;
  /** null while it is not known: the server does not tell, or compresses what it sends. */
  totalBytes: number | null;
}

export interface UnpackOptions {
  /** The file that a patch was made for. */
  base?: Bytes;
  /** The largest file that may come out, 1 GiB by default: a small packed file may declare any size. */
  maxBytes?: number;
  /** Gives a compressed .tflite out, too, which no runtime of the web computes rightly. */
  allowCompressed?: boolean;
  /** Called at the begin of each phase, and with each part. What it throws ends the unpacking. */
  onProgress?: (progress: Progress) => void;
  /** Ends the download or the unpacking. */
  signal?: AbortSignal;
}

/**
 * Unpacks a packed file (.kdc).
 *
 * @returns the file that was packed, byte for byte: an ordinary .tflite file, or a bundle of such.
 * @throws UnpackError if the file is no packed one, is damaged or not allowed; TypeError for
 *     arguments of a wrong type.
 */
export function unpack(bytes: Bytes, options?: UnpackOptions): Promise<Uint8Array>;

/**
 * Downloads a packed file and unpacks it. What is no packed file, or declares too much, is refused
 * at its first bytes, and the download ends.
 *
 * @param source what `fetch` takes, or a Response whose body was not read.
 * @throws as `unpack`; as `fetch` where the network fails.
 */
export function unpackFrom(
  source: string | URL | Request | Response,
  options?: UnpackOptions,
): Promise<Uint8Array>;

/**
 * What a file is:
 * - "packed": made by `dc.pack`; `unpack` gives the model.
 * - "patch": a packed file that needs a base.
 * - "tflite": an ordinary model, which runs as it is.
 * - "compressed-tflite": made by `dc.compress` or `dc.convert`. It needs keras_dc's ops, which no
 *   runtime of the web knows: LiteRT.js runs it and returns garbage.
 * - "other": none of these, a bundle of models (.task) for instance.
 */
export type FileKind = "packed" | "patch" | "tflite" | "compressed-tflite" | "other";

export function fileKind(bytes: Bytes): FileKind;

/**
 * Whether a model must be unpacked before it runs: true for packed files, false for ordinary
 * .tflite files.
 *
 * @throws UnpackError for all else: with the code "compressed-model" for a compressed .tflite file.
 */
export function needsUnpacking(bytes: Bytes): boolean;

/**
 * Loads the decoder ahead of its first use, or from elsewhere than where the package has it.
 *
 * @param source the address of keras_dc.wasm, its Response or bytes, or the compiled module.
 */
export function loadDecoder(
  source?: string | URL | Response | PromiseLike<Response> | BufferSource | WebAssembly.Module,
): Promise<void>;

export type UnpackErrorCode =
  /** The bytes are no packed file. */
  | "not-packed"
  /** The file ends too early. */
  | "truncated"
  /** The content does not have its checksum. */
  | "checksum"
  /** The bytes break the rules of the format. */
  | "damaged"
  /** A format version that this package does not read. */
  | "version"
  /** The file declares more than `maxBytes`. */
  | "too-large"
  /** A patch without its base or with another one, or a base for a file that is no patch. */
  | "base"
  /** A compressed .tflite file, which no runtime of the web computes rightly. */
  | "compressed-model"
  /** WebAssembly or the page has too little memory. */
  | "memory"
  /** The server did not send the file. */
  | "http";

/** A file that cannot be unpacked. Its message tells what was expected and what was received. */
export class UnpackError extends Error {
  private constructor();
  readonly name: "UnpackError";
  readonly code: UnpackErrorCode;
  /** The number of the status of the C library (keras_dc/codec.h), where there is one. */
  readonly status?: number;
}
