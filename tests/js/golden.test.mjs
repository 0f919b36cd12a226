// Golden packed files unpack in JavaScript as everywhere, and golden errors are refused.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { unpack, UnpackError } from "./package.mjs";

const folder = new URL("../golden_packs/", import.meta.url);
const digests = JSON.parse(readFileSync(new URL("digests.json", folder)));
const base = readFileSync(new URL("base.bin", folder));
const isPatch = (packed) => packed.length > 4 && (packed[4] & 1) !== 0;

const codes = { 4: "not-packed", 5: "version", 6: "checksum", 7: "truncated", 14: "base" };

for (const [name, digest] of Object.entries(digests)) {
  test(`${name} unpacks byte for byte`, async () => {
    const packed = readFileSync(new URL(`${name}.kdc`, folder));
    const unpacked = await unpack(packed, isPatch(packed) ? { base } : {});
    assert.equal(createHash("sha256").update(unpacked).digest("hex"), digest);
  });
}

const errors = readdirSync(new URL("errors/", folder));

test("there are golden files", () => {
  assert.ok(Object.keys(digests).length >= 21);
  assert.ok(errors.length >= 25);
});

for (const file of errors) {
  test(`${file} is refused with its status`, async () => {
    const packed = readFileSync(new URL(`errors/${file}`, folder));
    const status = parseInt(file, 10);
    await assert.rejects(
      unpack(packed, isPatch(packed) && status !== 14 ? { base } : {}),
      (error) => {
        assert.ok(error instanceof UnpackError, error.stack);
        assert.equal(error.status, status);
        assert.equal(error.code, codes[status] ?? "damaged");
        assert.match(error.message, /Received: ./);
        return true;
      },
    );
  });
}
