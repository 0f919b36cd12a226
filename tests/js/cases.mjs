// The files that test_package.py made for these tests.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(`${process.env.KERAS_DC_CASES}/`);

export const readCase = (name) => readFileSync(new URL(name, folder));
