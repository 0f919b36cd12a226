// Nothing stays behind: neither of files that unpack nor of those that are refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { readCase } from "./cases.mjs";
import { unpack } from "./package.mjs";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const packed = readCase("plain.kdc");
const MEGABYTE = 2 ** 20;

async function heldBytes() {
  for (let i = 0; i < 3; ++i) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { external, heapUsed } = process.memoryUsage();
  return external + heapUsed;
}

const refused = (options) => unpack(packed.subarray(0, -1), options).catch(() => {});
const thrown = () =>
  unpack(packed, {
    onProgress: () => {
      throw new Error();
    },
  }).catch(() => {});

for (const [name, once] of [
  ["unpacked", () => unpack(packed)],
  ["refused", refused],
  ["stopped", thrown],
]) {
  test(`40 files are ${name}, and their memory is free again`, async () => {
    await once();
    const before = await heldBytes();
    for (let i = 0; i < 40; ++i) await once();
    const grown = (await heldBytes()) - before;
    assert.ok(grown < 4 * MEGABYTE, `${grown} bytes stay`);
  });
}
