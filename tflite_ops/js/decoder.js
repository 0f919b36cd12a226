// The decoder in WebAssembly: src/api/web.cc, in JavaScript's terms.
import { outOfMemory } from "./errors.js";
import { wasmModule } from "./wasm.js";

// kdc_pack_info in keras_dc/pack.h.
const ORIGINAL_SIZE_AT = 0;
const HAS_BASE_AT = 12;
const BASE_SIZE_AT = 16;
const BASE_CRC_AT = 24;

/**
 * A decoder for one file. Its memory is its own and goes with it, after errors as well: memory of
 * WebAssembly grows and never shrinks.
 */
export class Decoder {
  #exports;
  #write;

  static async create() {
    const decoder = new Decoder();
    const imports = {
      keras_dc: { write: (at, size) => decoder.#write(decoder.#view(at, size)) },
      env: { emscripten_notify_memory_growth: () => {} },
      // Called where the decoder stops, before it does.
      wasi_snapshot_preview1: { proc_exit: () => {} },
    };
    const instance = await WebAssembly.instantiate(await wasmModule(), imports);
    decoder.#exports = instance.exports;
    decoder.#exports._initialize?.();
    return decoder;
  }

  /**
   * Copies bytes into the decoder's memory.
   * @param {Uint8Array[]} chunks of one file.
   * @returns {{at: number, size: number}}
   */
  take(chunks) {
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const at = this.#exports.allocate(Math.max(size, 1));
    if (at === 0) throw outOfMemory();
    const memory = this.#view(at, size);
    let end = 0;
    for (const chunk of chunks) {
      memory.set(chunk, end);
      end += chunk.length;
    }
    return { at, size };
  }

  /** What the head of a packed file says, as far as its bytes are there. */
  readHead({ at, size }) {
    const status = this.#exports.read_head(at, size);
    const info = new DataView(this.#exports.memory.buffer, this.#exports.info());
    const number = (offset) => Number(info.getBigUint64(offset, true));
    return {
      status,
      originalSize: number(ORIGINAL_SIZE_AT),
      isPatch: info.getInt32(HAS_BASE_AT, true) !== 0,
      baseSize: number(BASE_SIZE_AT),
      baseCrc: info.getUint32(BASE_CRC_AT, true),
    };
  }

  /**
   * Unpacks a file.
   * @param {(part: Uint8Array) => void} write takes the next bytes, and keeps no hold of them.
   * @returns {number} a status.
   */
  unpack(packed, base, write) {
    this.#write = write;
    try {
      return this.#exports.unpack(packed.at, packed.size, base?.at ?? 0, base?.size ?? 0);
    } catch (error) {
      // The decoder stops where memory runs out, and nowhere else.
      if (error instanceof WebAssembly.RuntimeError) throw outOfMemory(error);
      throw error;
    }
  }

  #view(at, size) {
    return new Uint8Array(this.#exports.memory.buffer, at, size);
  }
}
