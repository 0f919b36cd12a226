"""Build the wheels of all platforms and the sdist on one Linux machine, and check them.

    pip install -r tools/requirements.txt
    python -m tools.build_wheels --output dist

zig compiles; qemu-user and wine run the golden files where they are installed. `--require-all`
makes it an error if one of them is missing.
"""

import argparse
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from tools import check_wheels, zig


@dataclasses.dataclass(frozen=True)
class Platform:
    """What a wheel is for: the tag in its name, and what compiles for it."""

    tag: str
    target: zig.Target


PLATFORMS = {
    "linux_x86_64": Platform(
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        zig.Target("x86_64-linux-gnu.2.17", "Linux", "x86_64"),
    ),
    "linux_aarch64": Platform(
        "manylinux_2_17_aarch64.manylinux2014_aarch64",
        zig.Target("aarch64-linux-gnu.2.17", "Linux", "aarch64"),
    ),
    "windows": Platform("win_amd64", zig.Target("x86_64-windows-gnu", "Windows", "AMD64")),
    "macos": Platform("macosx_12_0_arm64", zig.Target("aarch64-macos.12.0", "Darwin", "arm64")),
}


def build_wheel(platform, output, folder):
    """Build the wheel of a Platform; returns its path in `output`."""
    toolchain = zig.toolchain_file(platform.target, folder)
    made = folder / "made"
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", made,
               f"-Ccmake.define.CMAKE_TOOLCHAIN_FILE={toolchain}", "-Cinstall.strip=false",
               f"-Cbuild-dir={folder / 'build'}", zig.ROOT]  # fmt: skip
    _run(command, folder)
    (wheel,) = made.glob("*.whl")
    _run([sys.executable, "-m", "wheel", "tags", "--platform-tag", platform.tag, wheel], folder)
    wheel.unlink()
    (tagged,) = made.glob("*.whl")
    return pathlib.Path(shutil.move(tagged, output / tagged.name))


def build_sdist(output, folder):
    """Build the sdist; returns its path in `output`."""
    _run([sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder / "made",
          zig.ROOT], folder)  # fmt: skip
    (sdist,) = (folder / "made").glob("*.tar.gz")
    return pathlib.Path(shutil.move(sdist, output / sdist.name))


def _run(command, folder):
    """Run a command; what it prints is shown if it fails."""
    scripts = pathlib.Path(sys.executable).parent
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    log = folder / "log.txt"
    with log.open("w") as file:
        done = subprocess.run(
            command, cwd=folder, stdout=file, stderr=file, env={**os.environ, "PATH": path}
        )
    if done.returncode != 0:
        sys.exit(f"{log.read_text()[-5000:]}\n{' '.join(map(str, command))} failed")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("dist"))
    parser.add_argument("--only", nargs="+", choices=PLATFORMS, default=list(PLATFORMS))
    parser.add_argument("--no-check", action="store_true", help="build, and check nothing")
    parser.add_argument(
        "--require-all", action="store_true", help="fail where qemu or wine is missing"
    )
    options = parser.parse_args(arguments)
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    checks = check_wheels.Checks(require_all=options.require_all)
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.only:
            folder = pathlib.Path(scratch) / name
            folder.mkdir()
            platform = PLATFORMS[name]
            wheel = build_wheel(platform, output, folder)
            print(f"{wheel.name}: {wheel.stat().st_size:,} bytes", flush=True)
            if not options.no_check:
                checks.wheel(wheel, platform.target, folder)
        folder = pathlib.Path(scratch) / "sdist"
        folder.mkdir()
        sdist = build_sdist(output, folder)
        print(f"{sdist.name}: {sdist.stat().st_size:,} bytes", flush=True)
        if not options.no_check:
            checks.sdist(sdist)
    sys.exit(checks.summary())


if __name__ == "__main__":
    main()
