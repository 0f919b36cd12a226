// Damaged files end as in the C library of this machine: with the same status or the same bytes.
import assert from "node:assert/strict";
import { test } from "node:test";

import { readCase } from "./cases.mjs";
import { unpack, UnpackError } from "./package.mjs";

const { files, base, max_bytes: maxBytes } = JSON.parse(readCase("mutants.json").toString());
const bytesOf = (text) => Buffer.from(text, "base64");

async function statusOf(packed, options) {
  try {
    await unpack(packed, { allowCompressed: true, maxBytes, ...options });
    return 0;
  } catch (error) {
    if (!(error instanceof UnpackError)) throw error;
    assert.match(error.message, /Received: ./);
    return error.status;
  }
}

for (const { name, mutants } of files) {
  test(`${mutants.length} mutants of ${name}`, async () => {
    assert.ok(mutants.length > 10);
    for (const [at, { packed, is_patch, status }] of mutants.entries()) {
      const options = is_patch ? { base: bytesOf(base) } : {};
      assert.equal(await statusOf(bytesOf(packed), options), status, `mutant ${at}: ${packed}`);
    }
  });
}
