"""How long the npm package takes to unpack a matrix of 4096 x 4096, 9 % kept, and a LeNet-5.

    (cd tests && python -m js.build ../build/web)
    cd tests && python -m benchmarks.web ../build/web

In node, in Chromium, and beside them by the library of this machine. A file is unpacked 25 times;
the least time is printed, since what else a machine does only adds to it. The first time is apart:
the decoder is loaded then.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from support import browser, web
from support.tiny_models import mlp

import keras_dc as dc
from keras_dc.codec import packs

ROOT = pathlib.Path(__file__).parents[2]
COUNT = 25
_TIME = """
const times = [];
for (let i = 0; i < COUNT; ++i) {
  const begin = performance.now();
  await unpack(packed);
  times.push(performance.now() - begin);
}
"""
_NODE = f"""
import {{readFileSync}} from "node:fs";
const {{unpack}} = await import(process.argv[1] + "/node.js");
const packed = readFileSync(process.argv[2]);
{_TIME}
console.log(JSON.stringify(times));
"""
_PAGE = f"""
const [name, done] = arguments;
(async () => {{
  const {{unpack}} = await import("/package/browser.js?" + name);
  const packed = new Uint8Array(await (await fetch(name)).arrayBuffer());
  {_TIME}
  return times;
}})().then(done, (error) => done(String(error)));
"""


def written(folder):
    """Paths of the packed files."""
    matrix = folder / "matrix.kdc"
    matrix.write_bytes(dc.pack(mlp(sizes=(4096, 4096), density=0.09).serialize()))
    lenet = folder / "lenet_5.kdc"
    lenet.write_bytes((ROOT / "tutorials/web/lenet_5.kdc").read_bytes())
    return [matrix, lenet]


def native_ms(path):
    packed = path.read_bytes()
    times = []
    for _ in range(COUNT):
        begin = time.perf_counter()
        packs.unpack(packed)
        times.append(1e3 * (time.perf_counter() - begin))
    return times


def node_ms(package, path):
    script = _NODE.replace("COUNT", str(COUNT))
    command = ["node", "--input-type=module", "--eval", script, package.as_posix(), path]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def chromium_ms(folder, path):
    with web.served(folder) as address, browser.chromium() as driver:
        driver.set_script_timeout(120)
        driver.get(f"{address}/index.html")
        times = driver.execute_async_script(_PAGE.replace("COUNT", str(COUNT)), path.name)
    if isinstance(times, str):
        sys.exit(times)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("built", type=pathlib.Path, help="folder of js.build")
    package = parser.parse_args().built.resolve() / "package"
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "package").symlink_to(package)
        (folder / "index.html").write_text("<!DOCTYPE html><title>.</title>")
        for path in written(folder):
            for place, times in [
                ("this machine's library", native_ms(path)),
                ("node", node_ms(package, path)),
                ("Chromium", chromium_ms(folder, path)),
            ]:
                print(
                    f"{path.name} in {place}: {min(times[1:]):.1f} ms, "
                    f"the first time {times[0]:.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
