// What a file is told to be, and how it is refused.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { readCase } from "./cases.mjs";
import { fileKind, folder, loadDecoder, needsUnpacking, unpack } from "./package.mjs";

const plain = readCase("plain.tflite");
const compressed = readCase("compressed.tflite");
const packed = readCase("plain.kdc");
const packedCompressed = readCase("compressed.kdc");

const withOffset = (bytes) => {
  const memory = new Uint8Array(bytes.length + 7);
  memory.set(bytes, 5);
  return memory.subarray(5, 5 + bytes.length);
};

test("a packed model unpacks to the model, from bytes in any form", async () => {
  const forms = [
    packed,
    withOffset(packed),
    new DataView(withOffset(packed).buffer, 5, packed.length),
    new Uint8Array(packed).buffer,
  ];
  for (const form of forms) {
    const unpacked = await unpack(form);
    assert.ok(unpacked.constructor === Uint8Array && plain.equals(unpacked));
  }
});

test("many at once do not disturb each other", async () => {
  const models = await Promise.all(Array.from({ length: 20 }, () => unpack(packed)));
  assert.ok(models.every((model) => plain.equals(model)));
});

test("kinds of files", () => {
  const kinds = [
    [packed, "packed"],
    [packedCompressed, "packed"],
    [readCase("patch.kdc"), "patch"],
    [plain, "tflite"],
    [compressed, "compressed-tflite"],
    [readCase("bundle.zip"), "other"],
    [new Uint8Array(), "other"],
    [Buffer.from("KD"), "other"],
    [Buffer.from("<!DOCTYPE html>"), "other"],
    [Buffer.from("\0\0\0\0TFL3"), "other"],
  ];
  for (const [bytes, kind] of kinds) {
    assert.equal(fileKind(bytes), kind);
    assert.equal(fileKind(withOffset(bytes)), kind);
  }
});

test("a cut model is never taken for one of another kind", () => {
  for (const [model, kind] of [
    [plain, "tflite"],
    [compressed, "compressed-tflite"],
  ]) {
    for (let size = 0; size < model.length; size += Math.ceil(model.length / 997)) {
      assert.ok(["other", kind].includes(fileKind(model.subarray(0, size))), `${kind} of ${size}`);
    }
  }
});

test("needsUnpacking tells what to do, and refuses what would compute garbage", () => {
  assert.equal(needsUnpacking(packed), true);
  assert.equal(needsUnpacking(readCase("patch.kdc")), true);
  assert.equal(needsUnpacking(plain), false);
  assert.throws(() => needsUnpacking(compressed), {
    name: "UnpackError",
    code: "compressed-model",
    message: /returns garbage.*keras-dc expand.*keras-dc pack.*Received: .*KerasDcFullyConnected/s,
  });
  assert.throws(() => needsUnpacking(Buffer.from("<html>")), { code: "not-packed" });
});

test("a compressed model is refused, inside a packed file, too", async () => {
  await assert.rejects(unpack(compressed), { code: "compressed-model" });
  await assert.rejects(unpack(packedCompressed), { code: "compressed-model" });
  assert.ok(compressed.equals(await unpack(packedCompressed, { allowCompressed: true })));
});

test("what is no packed file is told by its first bytes", async () => {
  await assert.rejects(unpack(plain), {
    code: "not-packed",
    message: /begins with "KDP"\. This is a \.tflite file.*needsUnpacking.*Received: .*TFL3/,
  });
  await assert.rejects(unpack(Buffer.from("<!DOCTYPE html>")), {
    code: "not-packed",
    message: /HTML: is the address right\? Received: bytes that begin with 3c 21/,
  });
  await assert.rejects(unpack(new Uint8Array()), {
    code: "not-packed",
    message: /Received: no bytes$/,
  });
});

test("a cut file is told from a damaged one", async () => {
  await assert.rejects(unpack(packed.subarray(0, -1)), { code: "truncated", status: 7 });
  const other = Uint8Array.from(packed);
  other[8] ^= 1;
  await assert.rejects(unpack(other), { name: "UnpackError" });
});

test("a file may declare as much as the caller allows", async () => {
  await assert.rejects(unpack(packed, { maxBytes: plain.length - 1 }), {
    code: "too-large",
    message: /maxBytes raises that\. Received: a packed file that declares [\d,]+ bytes/,
  });
  assert.equal((await unpack(packed, { maxBytes: plain.length })).length, plain.length);
  // 2^40 bytes, declared by a file of 30.
  const huge = Uint8Array.from([
    ...Buffer.from("KDP\x01\x00"),
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    0x20,
    0,
    0,
    0,
    0,
    0,
    1,
    0,
  ]);
  await assert.rejects(unpack(huge), { code: "too-large", message: /1,099,511,627,776 bytes/ });
  await assert.rejects(unpack(huge, { maxBytes: Infinity }), {
    code: "memory",
    message: /Received: ./,
  });
});

test("more memory than WebAssembly has is told, and the next file unpacks", async () => {
  await assert.rejects(unpack(readCase("huge_tensor.kdc"), { maxBytes: 2 ** 31 }), (error) => {
    assert.equal(error.code, "memory");
    assert.equal(error.status, 2);
    assert.ok(error.cause instanceof WebAssembly.RuntimeError);
    return true;
  });
  assert.ok(plain.equals(await unpack(packed)));
});

test("a patch needs its base, and no other file has one", async () => {
  const patch = readCase("patch.kdc");
  assert.ok(readCase("new.tflite").equals(await unpack(patch, { base: plain })));
  await assert.rejects(unpack(patch), {
    code: "base",
    message: /patch for a base of [\d,]+ bytes with the CRC-32 0x[0-9a-f]{8}\. Received: no base/,
  });
  await assert.rejects(unpack(patch, { base: packed }), {
    code: "base",
    message: /Received: a base of/,
  });
  const changed = Uint8Array.from(plain);
  changed[changed.length - 1] ^= 1;
  await assert.rejects(unpack(patch, { base: changed }), {
    code: "base",
    message: /another file of/,
  });
  await assert.rejects(unpack(packed, { base: plain }), {
    code: "base",
    message: /no patch has no base/,
  });
});

test("progress goes up to the end", async () => {
  const told = [];
  await unpack(packed, { onProgress: (progress) => told.push(progress) });
  assert.ok(told.length > 2);
  assert.ok(
    told.every(({ phase, totalBytes }) => phase === "unpack" && totalBytes === plain.length),
  );
  assert.deepEqual(
    told.map(({ doneBytes }) => doneBytes),
    told.map(({ doneBytes }) => doneBytes).sort((a, b) => a - b),
  );
  assert.equal(told[0].doneBytes, 0);
  assert.equal(told.at(-1).doneBytes, plain.length);
});

test("what onProgress throws comes out", async () => {
  const stop = new Error("stop");
  await assert.rejects(
    unpack(packed, {
      onProgress: () => {
        throw stop;
      },
    }),
    stop,
  );
  const controller = new AbortController();
  await assert.rejects(
    unpack(packed, { signal: controller.signal, onProgress: () => controller.abort() }),
    { name: "AbortError" },
  );
});

test("arguments of a wrong type are told", async () => {
  for (const wrong of ["model.kdc", null, undefined, 3, [75, 68, 80]]) {
    await assert.rejects(unpack(wrong), {
      name: "TypeError",
      message: /ArrayBuffer.*Received: \w+$/,
    });
    assert.throws(() => fileKind(wrong), TypeError);
  }
  await assert.rejects(unpack(packed, { maxBytes: "many" }), {
    message: /Received: maxBytes=many/,
  });
  await assert.rejects(unpack(packed, { maxbytes: 9 }), { message: /Received: maxbytes/ });
  await assert.rejects(unpack(packed, { onProgress: 1 }), { message: /Received: onProgress=1/ });
  await assert.rejects(unpack(packed, { base: "old" }), { message: /`base`.*Received: String/ });
});

test("the decoder is taken in any form", async () => {
  const bytes = readFileSync(new URL("keras_dc.wasm", folder));
  const headers = { "content-type": "application/wasm" };
  const forms = [
    bytes,
    new Response(bytes),
    new Response(bytes, { headers }),
    Promise.resolve(new Response(bytes, { headers })),
    await WebAssembly.compile(bytes),
  ];
  for (const form of forms) {
    await loadDecoder(form);
    assert.ok(plain.equals(await unpack(packed)));
  }
});

test("a decoder that is not there is told, and asked for again the next time", async () => {
  const missing = new Response("", { status: 404 });
  await assert.rejects(loadDecoder(missing), { code: "http", message: /Received: HTTP 404/ });
  const page = new Response("<html>", { headers: { "content-type": "text/html" } });
  await assert.rejects(loadDecoder(page), { code: "http", message: /HTTP 200, text\/html/ });
  assert.ok(plain.equals(await unpack(packed)));
});
