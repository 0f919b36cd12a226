// unpackFrom: from a server on this machine.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { readCase } from "./cases.mjs";
import { unpackFrom } from "./package.mjs";

const plain = readCase("plain.tflite");
const packed = readCase("plain.kdc");
// How many bytes of an endless answer are left when the other side has hung up.
let hungUp;

const answers = {
  "/model.kdc": (_, response) => response.end(packed),
  "/chunked.kdc": (_, response) => {
    for (let at = 0; at < packed.length; at += 7) response.write(packed.subarray(at, at + 7));
    response.end();
  },
  "/gzipped.kdc": (_, response) => {
    const body = gzipSync(packed);
    response.writeHead(200, { "content-encoding": "gzip", "content-length": body.length });
    response.end(body);
  },
  "/cut.kdc": (_, response) => response.end(packed.subarray(0, packed.length / 2)),
  "/empty.kdc": (_, response) => response.end(),
  "/page.html": endless(Buffer.from("<!DOCTYPE html>".padEnd(100))),
  "/plain.tflite": endless(plain),
  "/large.kdc": endless(packed),
};

function endless(begin) {
  return (_, response) => {
    hungUp = once(response, "close");
    response.writeHead(200, { "content-length": 2 ** 30 });
    response.write(begin);
  };
}

const server = createServer((request, response) => {
  const answer = answers[request.url];
  if (answer) answer(request, response);
  else response.writeHead(404).end("<html>no such file</html>");
});
let address;

before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  address = `http://127.0.0.1:${server.address().port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

for (const name of ["model.kdc", "chunked.kdc", "gzipped.kdc"]) {
  test(`${name} is downloaded and unpacked, with progress`, async () => {
    const told = [];
    const model = await unpackFrom(`${address}/${name}`, { onProgress: (each) => told.push(each) });
    assert.ok(plain.equals(model));
    const downloads = told.filter(({ phase }) => phase === "download");
    const unpacks = told.filter(({ phase }) => phase === "unpack");
    assert.deepEqual([...downloads, ...unpacks], told);
    for (const [phase, size] of [
      [downloads, packed.length],
      [unpacks, plain.length],
    ]) {
      assert.equal(phase[0].doneBytes, 0);
      assert.deepEqual([phase.at(-1).doneBytes, phase.at(-1).totalBytes], [size, size]);
    }
    assert.equal(downloads[0].totalBytes, name === "model.kdc" ? packed.length : null);
  });
}

test("a URL, a Request and a Response are taken as well", async () => {
  const url = new URL(`${address}/model.kdc`);
  for (const source of [url, new Request(url), await fetch(url), new Response(packed)]) {
    assert.ok(plain.equals(await unpackFrom(source)));
  }
});

test("a cut download is told", async () => {
  await assert.rejects(unpackFrom(`${address}/cut.kdc`), { code: "truncated" });
  await assert.rejects(unpackFrom(`${address}/empty.kdc`), {
    code: "not-packed",
    message: /no bytes$/,
  });
});

test("an error of the server is told with its address", async () => {
  await assert.rejects(unpackFrom(`${address}/none.kdc`), {
    name: "UnpackError",
    code: "http",
    message: new RegExp(`Received: HTTP 404 Not Found of ${address}/none.kdc$`),
  });
});

for (const [name, code, options] of [
  ["page.html", "not-packed", {}],
  ["plain.tflite", "not-packed", {}],
  ["large.kdc", "too-large", { maxBytes: 1000 }],
  ["large.kdc", "base", { base: plain }],
]) {
  test(`${name} is refused at its first bytes (${code}), and the download ends`, async () => {
    await assert.rejects(unpackFrom(`${address}/${name}`, options), { code });
    await hungUp;
  });
}

test("a download ends where its caller ends it", async () => {
  const controller = new AbortController();
  const onProgress = ({ doneBytes }) => doneBytes > 0 && controller.abort();
  const { signal } = controller;
  await assert.rejects(unpackFrom(`${address}/large.kdc`, { signal, onProgress }), {
    name: "AbortError",
  });
  await hungUp;
  await assert.rejects(unpackFrom(`${address}/model.kdc`, { signal }), { name: "AbortError" });
});

test("bytes are no source", async () => {
  for (const source of [packed, new Uint8Array(packed), undefined, null]) {
    await assert.rejects(unpackFrom(source), {
      name: "TypeError",
      message: /bytes go to `unpack`\. Received: (Buffer|Uint8Array|undefined|null)$/,
    });
  }
});

test("a network that fails says what fetch says", async () => {
  await assert.rejects(unpackFrom("http://127.0.0.1:1/model.kdc"), { name: "TypeError" });
});
