"""Installs the C library in several forms, and builds a small project against each.

    python -m tests.install.check

Needs CMake, ninja and a C++ compiler; pkg-config and a JDK where they are. With the JDK, Java calls
here what Kotlin calls on Android. What is measured is printed.
"""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]
PACKS = ROOT / "tests/golden_packs"
# What the codec may take as a shared library for one instruction set.
MAX_CODEC_BYTES = 400_000
OPS = ["KerasDcFullyConnected", "KerasDcConv2D", "KerasDcDecode"]
# Name, options for CMake, and what of the library is there.
FORMS = {
    "whole": ["-DCMAKE_BUILD_TYPE=MinSizeRel", "-DKERAS_DC_PORTABLE=ON"],
    "decoder": [
        "-DCMAKE_BUILD_TYPE=MinSizeRel", "-DKERAS_DC_PORTABLE=ON", "-DKERAS_DC_DECODER_ONLY=ON",
        "-DKERAS_DC_OPS=OFF", "-DBUILD_SHARED_LIBS=OFF", "-DKERAS_DC_THREADS=OFF",
        "-DKERAS_DC_EXCEPTIONS=OFF", "-DKERAS_DC_RTTI=OFF",
    ],
}  # fmt: skip


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def configure_and_build(source, folder, *options):
    run("cmake", "-S", source, "-B", folder, "-G", "Ninja", *options)
    run("cmake", "--build", folder)


def check_unpack(program, folder):
    """That a golden packed file is unpacked, and a damaged one refused with its sentence."""
    digests = json.loads((PACKS / "digests.json").read_text())
    for name in ("v1-model", "v1-huffman", "v1-words"):
        output = folder / "unpacked"
        assert run(program, PACKS / f"{name}.kdc", output) == "no error\n"
        assert hashlib.sha256(output.read_bytes()).hexdigest() == digests[name], name
    damaged = folder / "damaged.kdc"
    damaged.write_bytes((PACKS / "v1-model.kdc").read_bytes()[:-9])
    assert subprocess.run([program, damaged, output], stdout=subprocess.DEVNULL).returncode > 2


def check_form(name, options, folder):
    prefix, consumer = folder / "prefix", folder / "consumer"
    configure_and_build(ROOT / "tflite_ops", folder / "build", *options)
    run("cmake", "--install", folder / "build", "--prefix", prefix, "--strip")
    # What is installed is all: it works where it is moved to.
    prefix = prefix.rename(folder / "moved")
    configure_and_build(ROOT / "tests/install", consumer, f"-DCMAKE_PREFIX_PATH={prefix}")
    check_unpack(consumer / "unpack", folder)
    if name == "whole":
        ops = run(consumer / "list_ops").split()
        assert set(OPS) <= set(ops), ops
        check_java(prefix, folder)
    for library in sorted(prefix.rglob("libkeras_dc*")):
        if not library.is_symlink() and library.suffix != ".pc":
            size = library.stat().st_size
            print(f"{name}: {library.name} takes {size:,} bytes", flush=True)
            if ".so" in library.name:
                assert library.name.endswith(".so.0.1.0"), library.name
            if library.name.startswith("libkeras_dc_codec.so"):
                assert size <= MAX_CODEC_BYTES, size
    check_pkg_config(prefix, folder)


def check_java(prefix, folder):
    """That tutorials/android does what it should, called from Java on this machine."""
    javac = shutil.which("javac")
    if javac is None:
        print("NOT RUN: there is no javac", flush=True)
        return
    home = pathlib.Path(javac).resolve().parents[1]
    flags = f"-I{home / 'include'} -I{home / 'include/linux'} -Wall -Wextra -Werror"
    configure_and_build(ROOT / "tutorials/android", folder / "jni",
                        f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_FLAGS={flags}")  # fmt: skip
    run(javac, "-d", folder / "classes", ROOT / "tests/install/KerasDc.java")
    packed, model = PACKS / "v1-model.kdc", folder / "model.tflite"
    printed = run(home / "bin/java", "-cp", folder / "classes", "kerasdc.KerasDc",
                  folder / "jni/libkeras_dc_jni.so", packed, model).splitlines()  # fmt: skip
    digest = json.loads((PACKS / "digests.json").read_text())["v1-model"]
    assert hashlib.sha256(model.read_bytes()).hexdigest() == digest
    assert printed[0] == "true"
    assert printed[1].startswith("this is not a keras_dc blob"), printed
    assert printed[2].startswith("the blob"), printed
    assert printed[3] == "the file could not be written", printed
    # What could not be unpacked is not left behind.
    assert not model.with_suffix(".tflite.bad").exists()
    print("what Kotlin calls on Android works from Java", flush=True)


def check_pkg_config(prefix, folder):
    if shutil.which("pkg-config") is None:
        print("NOT RUN: pkg-config is missing", flush=True)
        return
    (place,) = prefix.rglob("pkgconfig")
    flags = run("pkg-config", "--cflags", "--libs", "keras_dc_codec",
                env={"PKG_CONFIG_PATH": str(place), "PATH": "/usr/bin:/bin"}).split()  # fmt: skip
    program = folder / "by_pkg_config"
    run("cc", ROOT / "tests/install/unpack.c", "-o", program, *flags,
        f"-Wl,-rpath,{place.parent}")  # fmt: skip
    check_unpack(program, folder)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        for name, options in FORMS.items():
            folder = pathlib.Path(scratch) / name
            folder.mkdir()
            check_form(name, options, folder)
    print(f"{len(FORMS)} passed, 0 failed")


if __name__ == "__main__":
    main()
