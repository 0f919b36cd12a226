// A packed LeNet-5: downloaded, unpacked, and run by LiteRT.js.
import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { unpackFrom } from "keras-dc";

const MODEL = "lenet_5.kdc";
const RUNTIME = "node_modules/@litertjs/core/wasm/";
const INPUT_SHAPE = [1, 28, 28, 1];

/**
 * Loads the model and its runtime.
 * @param {(progress: import("keras-dc").Progress) => void} onProgress
 * @returns the compiled model.
 */
export async function loadModel(onProgress) {
  const [bytes] = await Promise.all([
    unpackFrom(MODEL, { onProgress, maxBytes: 10_000_000 }),
    loadLiteRt(RUNTIME),
  ]);
  return loadAndCompile(bytes, { accelerator: "wasm" });
}

/**
 * The digit in a picture.
 * @param model from `loadModel`.
 * @param {Float32Array} picture 28 x 28 numbers from 0 to 1, as in MNIST.
 * @returns {Promise<number>}
 */
export async function recognize(model, picture) {
  const input = new Tensor(picture, INPUT_SHAPE);
  // LiteRT.js frees nothing by itself.
  const [output] = await model.run(input);
  const logits = output.toTypedArray();
  const digit = logits.indexOf(Math.max(...logits));
  output.delete();
  input.delete();
  return digit;
}
