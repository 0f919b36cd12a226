"""Builds the npm package and the page of tutorials/web, as a user gets them.

    cd tests && python -m js.build FOLDER

Makes FOLDER/package, what is published; FOLDER/keras-dc-VERSION.tgz; and FOLDER/site, the page with
its packages from the tgz and the npm registry. Sizes are printed. Needs emscripten, CMake, ninja,
node and npm, and the registry; says NOT RUN where something is missing.
"""

import argparse
import gzip
import json
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGE = ROOT / "tflite_ops/js"
PAGE = ROOT / "tutorials/web"
TOOLS = ("emcmake", "cmake", "ninja", "node", "npm")
# Of keras_dc.wasm, what a server sends.
MAX_GZIP_BYTES = 44 * 1024
TYPESCRIPT = "typescript@5.9.3"


class MissingError(Exception):
    """Something that is needed is not on this machine, or cannot be had."""


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(map(str, command))} must succeed. Received: exit status "
            f"{done.returncode}: {(done.stdout + done.stderr)[-3000:]}"
        )
    return done.stdout


def published_files():
    """What git knows of the package."""
    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=PACKAGE)
    return names.split()


def build_package(folder):
    """FOLDER/package and its tgz; gives the path of the latter."""
    package, build = folder / "package", folder / "build"
    package.mkdir(parents=True)
    for name in published_files():
        shutil.copy(PACKAGE / name, package / name)
    run("emcmake", "cmake", "-S", ROOT / "tflite_ops", "-B", build, "-G", "Ninja",
        "-DCMAKE_BUILD_TYPE=Release", "-DKERAS_DC_WEB=ON",
        "-DKERAS_DC_WARNINGS_AS_ERRORS=ON")  # fmt: skip
    run("cmake", "--build", build, "--parallel", 2)
    run("cmake", "--install", build, "--prefix", package)
    [name] = run("npm", "pack", "--ignore-scripts", "--silent", "--pack-destination", folder,
                 cwd=package).split()  # fmt: skip
    return folder / name


def install(folder, *packages):
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--no-save", "--silent",
         "--fetch-retries=1", "--fetch-timeout=60000", *map(str, packages)],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        raise MissingError(f"npm cannot get {packages}: {(done.stdout + done.stderr)[-500:]}")


def build_site(tgz, folder):
    """FOLDER/site: the page, where every package is installed as the registry has it."""
    site = folder / "site"
    shutil.copytree(PAGE, site, ignore=shutil.ignore_patterns("node_modules", "package*.json"))
    dependencies = json.loads((PAGE / "package.json").read_text())["dependencies"]
    others = [f"{name}@{version}" for name, version in dependencies.items() if name != "keras-dc"]
    (site / "package.json").write_text('{"private": true, "type": "module"}\n')
    install(site, tgz, *others)
    return site


def check_types(tgz, folder):
    """That TypeScript takes the package's types, and what tests/js/types.ts does with them."""
    project = folder / "types"
    project.mkdir()
    (project / "package.json").write_text('{"private": true, "type": "module"}\n')
    install(project, tgz, TYPESCRIPT)
    shutil.copy(HERE / "types.ts", project)
    run("npx", "tsc", "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext",
        "--lib", "es2022,dom", "types.ts", cwd=project)  # fmt: skip


def print_sizes(folder, tgz):
    wasm = (folder / "package/keras_dc.wasm").read_bytes()
    scripts = b"".join(path.read_bytes() for path in sorted((folder / "package").glob("*.js")))
    gzip_bytes = len(gzip.compress(wasm, 9))
    print(
        f"keras_dc.wasm: {len(wasm):,} bytes, {gzip_bytes:,} gzip; "
        f"JavaScript: {len(gzip.compress(scripts, 9)):,} gzip; {tgz.name}: {tgz.stat().st_size:,}",
        flush=True,
    )
    assert gzip_bytes <= MAX_GZIP_BYTES, gzip_bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="must not exist")
    folder = parser.parse_args().folder.resolve()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print(f"NOT RUN: {' and '.join(missing)} missing", flush=True)
        return
    tgz = build_package(folder)
    print_sizes(folder, tgz)
    shutil.rmtree(folder / "build")
    try:
        check_types(tgz, folder)
        build_site(tgz, folder)
    except MissingError as error:
        print(f"NOT RUN: {error}", flush=True)


if __name__ == "__main__":
    main()
