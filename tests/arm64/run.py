"""The library on Arm and RISC-V machines, which qemu-user plays on this one.

    (cd tests && python -m arm64.make_models ../build/models)
    python -m tools.build_wheels --output dist --only linux_aarch64
    python -m tests.arm64.run --wheel dist/keras_dc-*aarch64.whl --models build/models

arm64, from packages of Debian 12: the C++ tests, and the models in both runtimes. armhf: the same
models in tflite-runtime. armhf and riscv64: the codec on the golden files. What is missing here
(qemu, a package registry) is said and left out; `--require-all` makes that an error.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from tools import build_wheels, golden_files, userland, zig

HERE = pathlib.Path(__file__).parent
# As the wheel is built.
ARM64 = build_wheels.PLATFORMS["linux_aarch64"].target
ARMHF = zig.Target("arm-linux-gnueabihf.2.34", "Linux", "arm")
STATIC = {
    "arm": zig.Target("arm-linux-musleabihf", "Linux", "arm"),
    "riscv64": zig.Target("riscv64-linux-musl", "Linux", "riscv64"),
}
# The last versions that were tried; tflite-runtime needs NumPy 1.
RUNTIMES = {"litert": "ai-edge-litert==2.3.0", "tflite_runtime": "tflite-runtime==2.14.0"}
# Of the largest output. Sums are in another order than on x86; and on armhf TFLite's own LSTM is
# off by 8e-6, with dense weights as well.
TOLERANCES = {"aarch64": 1e-6, "arm": 1e-5}
GOOGLETEST = pathlib.Path("/usr/src/googletest")


class MissingError(Exception):
    """Something that a stage needs is not on this machine."""


def emulator(machine):
    found = userland.emulator(machine)
    if found is None:
        raise MissingError(f"qemu-{machine}-static is missing: apt-get install qemu-user-static")
    return found


def make_userland(architecture, packages, folder):
    try:
        return userland.make(architecture, packages, folder)
    except RuntimeError as error:
        raise MissingError(str(error)) from error


def install(requirements, platforms, folder):
    """Unpack wheels of another machine, with what they depend on, for Python 3.11."""
    tags = [part for name in platforms for part in ("--platform", name)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, *tags,
         "--python-version", "3.11", "--only-binary", ":all:", *requirements],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        raise MissingError(f"pip cannot get {requirements}: {done.stderr.strip()[-500:]}")


def run(command, **options):
    """Run a command; raises RuntimeError with the end of its output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(map(str, command))} must succeed. Received: exit status "
            f"{done.returncode}: {(done.stdout + done.stderr)[-3000:]}"
        )
    return done.stdout


class Stages:
    """What is run, in this order; each stage is a method that returns a sentence."""

    def __init__(self, wheel, models, folder):
        self._wheel, self._models, self._folder = wheel, models, folder

    def arm64_cpp_tests(self):
        qemu = emulator("aarch64")
        if not GOOGLETEST.is_dir():
            raise MissingError(f"{GOOGLETEST} is missing: apt-get install libgtest-dev")
        build = self._folder / "cpp"
        zig.build(ARM64, build, "-DKERAS_DC_BUILD_TESTS=ON",
                  f"-DKERAS_DC_GOOGLETEST_DIR={GOOGLETEST}", target="keras_dc_tests")  # fmt: skip
        printed = run([qemu, "-L", self._root(), build / "tests/keras_dc_tests",
                       "--gtest_brief=1"])  # fmt: skip
        return "C++ tests on arm64: " + printed.strip().splitlines()[-1]

    def arm64_models(self):
        emulator("aarch64")
        return self._run_models("aarch64", self._root(), RUNTIMES, self._wheel)

    def armhf_models(self):
        """The one runtime that has wheels for armhf; NumPy is Debian's."""
        emulator("arm")
        root = make_userland("armhf", ["python3-numpy", "libstdc++6"], self._folder / "armhf")
        build = self._folder / "armhf-build"
        zig.build(ARMHF, build, target="keras_dc")
        packages = self._folder / "armhf-packages"
        install(["--no-deps", RUNTIMES["tflite_runtime"]], ["manylinux_2_34_armv7l"], packages)
        install(["--no-deps", self._wheel], ["manylinux_2_17_aarch64"], packages)
        library = packages / "keras_dc/libkeras_dc.so"
        library.write_bytes((build / "libkeras_dc.so").read_bytes())
        return self._models_in("arm", root, {"tflite_runtime": packages})

    def codecs(self):
        sentences, digests = [], set()
        for machine, target in STATIC.items():
            qemu = emulator(machine)
            folder = self._folder / machine
            zig.build(target, folder, "-DKERAS_DC_OPS=OFF", "-DBUILD_SHARED_LIBS=OFF",
                      target="keras_dc_codec")  # fmt: skip
            program = golden_files.compile_for(
                target, folder, "-DGOLDEN_FILES_LINKED", folder / "libkeras_dc_codec.a", "-lc++",
                "-static",
            )  # fmt: skip
            output = folder / "golden"
            output.mkdir()
            count, again, isa = golden_files.check([qemu, program], "linked", output)
            digests.add(again)
            sentences.append(f"{count} golden files on {machine} ({isa})")
        if len(digests) != 1:
            raise RuntimeError(f"all machines must encode alike. Received: {digests}")
        return ", ".join(sentences)

    def _root(self):
        """The arm64 userland, made once."""
        place = self._folder / "arm64"
        if not (place / "root").is_dir():
            make_userland("arm64", ["libstdc++6", "python3.11"], place)
        return place / "root"

    def _run_models(self, machine, root, runtimes, wheel):
        packages = {}
        for name, requirement in runtimes.items():
            packages[name] = self._folder / f"{machine}-{name}"
            platforms = [f"manylinux_2_{glibc}_{machine}" for glibc in (17, 27, 28, 34)]
            install(["numpy<2", requirement], [*platforms, f"manylinux2014_{machine}"],
                    packages[name])  # fmt: skip
            install(["--no-deps", wheel], platforms, packages[name])
        return self._models_in(machine, root, packages)

    def _models_in(self, machine, root, packages):
        qemu = emulator(machine)
        for name, place in packages.items():
            printed = run([qemu, "-L", root, root / "usr/bin/python3.11", HERE / "run_models.py",
                           name, place, self._models, str(TOLERANCES[machine])],
                          cwd=self._folder)  # fmt: skip
            print(printed, end="", flush=True)
        return f"models on {machine}: in {', '.join(packages)}"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--wheel", type=pathlib.Path, required=True, help="for aarch64")
    parser.add_argument("--models", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, help="keep what is made in this folder")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--require-all", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.work or pathlib.Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("ZIG_GLOBAL_CACHE_DIR", str(folder / "zig"))
        stages = Stages(options.wheel.resolve(), options.models.resolve(), folder)
        num_skipped = 0
        for name in options.only:
            begin = time.monotonic()
            try:
                sentence = getattr(stages, name)()
            except MissingError as error:
                num_skipped += 1
                sentence = f"NOT RUN: {name}: {error}"
            print(f"{sentence} ({time.monotonic() - begin:.0f} s)", flush=True)
    print(f"{len(options.only) - num_skipped} passed, 0 failed, {num_skipped} skipped")
    sys.exit(1 if num_skipped and options.require_all else 0)


NAMES = ["arm64_cpp_tests", "arm64_models", "armhf_models", "codecs"]

if __name__ == "__main__":
    main()
