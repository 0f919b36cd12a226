// The package under test: the built one (see build.py).
import { pathToFileURL } from "node:url";

export const folder = pathToFileURL(`${process.env.KERAS_DC_JS}/`);
export const { fileKind, loadDecoder, needsUnpacking, unpack, unpackFrom, UnpackError } =
  await import(new URL("node.js", folder));
