// From a packed file to the file, at once or as it comes.
import { asBytes, typeName } from "./bytes.js";
import { Decoder } from "./decoder.js";
import {
  compressedModel,
  count,
  errorOfStatus,
  notPacked,
  outOfMemory,
  Status,
  UnpackError,
} from "./errors.js";
import { beginsAsTflite, compressedOps } from "./file_kind.js";

const DEFAULT_MAX_BYTES = 2 ** 30;
// All that is asked of a file before the rest of it comes stands in these first bytes.
const HEAD_BYTES = 64;
const OPTIONS = ["allowCompressed", "base", "maxBytes", "onProgress", "signal"];

/** See index.d.ts. */
export async function unpack(bytes, options) {
  const file = asBytes(bytes, "bytes");
  const settings = readOptions(options);
  settings.signal?.throwIfAborted();
  checkCompressed(file);
  return unpackChunks(await Decoder.create(), [file], settings);
}

/** See index.d.ts. */
export async function unpackFrom(source, options) {
  checkSource(source);
  const settings = readOptions(options);
  const { signal } = settings;
  // Both are fetched at once.
  const [decoder, response] = await Promise.all([
    Decoder.create(),
    source instanceof Response ? source : fetch(source, { signal }),
  ]);
  if (!response.ok) {
    throw new UnpackError(
      "http",
      `a packed file must come with a status of success. Received: HTTP ${response.status} ` +
        `${response.statusText} of ${response.url}`,
    );
  }
  const chunks = await download(response, settings, (begin) =>
    checkBegin(decoder, begin, settings),
  );
  return unpackChunks(decoder, chunks, settings);
}

function checkSource(source) {
  if (typeof source === "string") return;
  if ([URL, Request, Response].some((type) => source instanceof type)) return;
  throw new TypeError(
    "`source` must be an address, a URL, a Request or a Response; bytes go to `unpack`. " +
      `Received: ${typeName(source)}`,
  );
}

function readOptions(options = {}) {
  const unknown = Object.keys(options).filter((name) => !OPTIONS.includes(name));
  if (unknown.length > 0) {
    throw new TypeError(`options are ${OPTIONS.join(", ")}. Received: ${unknown.join(", ")}`);
  }
  const { maxBytes = DEFAULT_MAX_BYTES, base, onProgress } = options;
  if (!(maxBytes >= 0)) {
    throw new TypeError(`\`maxBytes\` must be a number from 0 on. Received: maxBytes=${maxBytes}`);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError(`\`onProgress\` must be a function. Received: onProgress=${onProgress}`);
  }
  return {
    ...options,
    maxBytes,
    base: base === undefined || base === null ? undefined : asBytes(base, "base"),
    tell: (phase, doneBytes, totalBytes) => onProgress?.({ phase, doneBytes, totalBytes }),
  };
}

// Reads a response; `check` sees its first bytes before the others come.
async function download(response, { signal, tell }, check) {
  const total = declaredBytes(response);
  const chunks = [];
  let done = 0;
  let isChecked = false;
  const reader = response.body?.getReader();
  tell("download", 0, total);
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { done: atEnd, value } = (await reader?.read()) ?? { done: true };
      if (atEnd) break;
      chunks.push(value);
      done += value.length;
      if (!isChecked && done >= HEAD_BYTES) {
        check(firstBytes(chunks));
        isChecked = true;
      }
      tell("download", done, total);
    }
  } catch (error) {
    // The error is what the caller hears, not how the stream took its end.
    reader.cancel(error).catch(() => {});
    throw error;
  }
  if (done !== total) tell("download", done, done);
  return chunks;
}

// How many bytes come, or null if that is not known: a server that compresses what it sends
// declares the size of something else.
function declaredBytes(response) {
  if (response.headers.has("content-encoding")) return null;
  const declared = response.headers.get("content-length");
  return declared === null ? null : Number(declared);
}

function firstBytes(chunks) {
  const begin = new Uint8Array(HEAD_BYTES);
  let end = 0;
  for (const chunk of chunks) {
    const part = chunk.subarray(0, HEAD_BYTES - end);
    begin.set(part, end);
    end += part.length;
  }
  return begin.subarray(0, end);
}

function checkBegin(decoder, begin, settings) {
  const head = decoder.readHead(decoder.take([begin]));
  if (head.status !== Status.TRUNCATED) checkStatus(head, begin, begin.length);
  checkHead(head, settings);
}

function checkStatus(head, begin, size) {
  if (head.status === Status.BAD_MAGIC || size < 3) {
    throw notPacked(begin, beginsAsTflite(begin) ? "tflite" : "other", head.status);
  }
  if (head.status !== Status.OK) throw errorOfStatus(head.status, size);
}

// What the head says must be what the caller allows and gives.
function checkHead(head, { base, maxBytes }) {
  if (head.originalSize > maxBytes) {
    throw new UnpackError(
      "too-large",
      `the file that is packed may have ${count(maxBytes)}; maxBytes raises that. ` +
        `Received: a packed file that declares ${count(head.originalSize)}`,
      { status: Status.TOO_LARGE },
    );
  }
  if (!head.isPatch && base === undefined) return;
  const received = base === undefined ? "no base" : `a base of ${count(base.length)}`;
  if (!head.isPatch) throw wrongBase("a packed file that is no patch has no base.", received);
  if (base?.length !== head.baseSize) throw wrongBase(wantedBase(head), received);
}

function wantedBase({ baseSize, baseCrc }) {
  const crc = baseCrc.toString(16).padStart(8, "0");
  return `the packed file is a patch for a base of ${count(baseSize)} with the CRC-32 0x${crc}.`;
}

function wrongBase(sentence, received) {
  return new UnpackError("base", `${sentence} Received: ${received}`, {
    status: Status.WRONG_BASE,
  });
}

function unpackChunks(decoder, chunks, settings) {
  const { base, signal, tell } = settings;
  const packed = decoder.take(chunks);
  const head = decoder.readHead(packed);
  checkStatus(head, firstBytes(chunks), packed.size);
  checkHead(head, settings);
  const original = allocate(head.originalSize);
  let done = 0;
  tell("unpack", 0, original.length);
  const status = decoder.unpack(packed, base && decoder.take([base]), (part) => {
    original.set(part, done);
    done += part.length;
    tell("unpack", done, original.length);
    signal?.throwIfAborted();
  });
  if (status === Status.WRONG_BASE) {
    throw wrongBase(wantedBase(head), `another file of ${count(base.length)}`);
  }
  if (status !== Status.OK) throw errorOfStatus(status, packed.size);
  if (!settings.allowCompressed) checkCompressed(original);
  return original;
}

function checkCompressed(file) {
  const ops = compressedOps(file);
  if (ops?.length > 0) throw compressedModel(ops);
}

function allocate(size) {
  try {
    return new Uint8Array(size);
  } catch (error) {
    throw outOfMemory(error);
  }
}
