"""What holds the wheels: their names, sizes and symbols, and the golden files under emulators."""

import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

from tools import golden_files, userland

# The library inside a wheel, deflated. The Python files take another 400 KB.
MAX_LIBRARY_BYTES = 450_000
LIBRARY_NAMES = {
    "Linux": "keras_dc/libkeras_dc.so",
    "Windows": "keras_dc/keras_dc.dll",
    "Darwin": "keras_dc/libkeras_dc.dylib",
}
_IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
import keras_dc
from keras_dc.codec import library
assert keras_dc.op_library_path().startswith(sys.argv[1]), keras_dc.op_library_path()
print(library.instruction_set())
"""


class Checks:
    """Checks wheels one by one; the summary tells what could not be checked."""

    def __init__(self, *, require_all):
        self._require_all = require_all
        self._again = {}
        self._skipped = []
        self._num_passed = 0

    def wheel(self, path, target, folder):
        """Check a wheel for a zig.Target; `folder` is for what is written on the way.

        Raises:
            RuntimeError: if the wheel is not as it must be.
        """
        files = folder / "files"
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            archive.extractall(files)
            name = LIBRARY_NAMES[target.system]
            binaries = [name for name in names if re.search(r"\.(so|dylib|dll|a|lib|pdb)\b", name)]
            if binaries != [name]:
                raise RuntimeError(f"{path.name} must hold {name} alone. Received: {binaries}")
            size = archive.getinfo(name).compress_size
        if size > MAX_LIBRARY_BYTES:
            raise RuntimeError(
                f"the library in {path.name} must take at most {MAX_LIBRARY_BYTES:,} bytes. "
                f"Received: {size:,}"
            )
        self._pass(f"{name} takes {size:,} bytes of it")
        if target.system == "Linux":
            self._manylinux(path)
        self._golden(files / name, target, folder)
        if target.system == platform.system() and target.processor == platform.machine():
            self._import(files)

    def sdist(self, path):
        """Check that an sdist holds what builds and tests, and no corpora of fuzzers or data."""
        with tarfile.open(path) as archive:
            names = [name.partition("/")[2] for name in archive.getnames()]
        wrong = [name for name in names if re.match(r"tests/fuzz/found/|tutorials/data/", name)]
        needed = {"tflite_ops/CMakeLists.txt", "tflite_ops/cmake/sources.cmake", "pyproject.toml"}
        if wrong or not needed <= set(names):
            raise RuntimeError(
                f"an sdist must hold {sorted(needed)}, and no corpora and data. Received: {wrong}"
            )
        self._pass(f"the sdist holds {len(names)} files, no corpora among them")

    def summary(self):
        """Print what was and what was not checked; returns the exit status: int."""
        for sentence in self._skipped:
            print(f"NOT CHECKED: {sentence}")
        print(f"{self._num_passed} passed, 0 failed, {len(self._skipped)} skipped")
        return 1 if self._skipped and self._require_all else 0

    def _pass(self, sentence):
        self._num_passed += 1
        print(f"  {sentence}", flush=True)

    def _manylinux(self, path):
        done = subprocess.run(
            [sys.executable, "-m", "auditwheel", "show", path], capture_output=True, text=True
        )
        wanted = re.search(r"manylinux_2_17_\w+?(?=\.)", path.name)[0]
        text = " ".join(done.stdout.split())
        if f'"{wanted}"' not in text.partition("following platform tag:")[2][:80]:
            raise RuntimeError(
                f"auditwheel must find {path.name} consistent with {wanted}. "
                f"Received: {text or done.stderr}"
            )
        self._pass(f"auditwheel: {wanted}")

    def _golden(self, library, target, folder):
        command = self._command(target, folder)
        if command is None:
            return
        program = golden_files.compile_for(target, folder)
        output = folder / "golden"
        output.mkdir()
        count, again, isa = golden_files.check([*command, program], library, output)
        self._again[target.triple] = again
        if len(set(self._again.values())) != 1:
            raise RuntimeError(f"all machines must encode alike. Received: {self._again}")
        self._pass(f"{count} golden files, computing with {isa}")

    def _command(self, target, folder):
        """What starts a program for the target; None, and a sentence noted, if nothing does."""
        if target.system == platform.system() and target.processor == platform.machine():
            return []
        if target.system == "Windows":
            wine = shutil.which("wine64") or shutil.which("wine")
            if wine is not None:
                return [wine]
            self._skipped.append("golden files on Windows: wine is missing")
            return None
        if target.system == "Linux":
            qemu = userland.emulator(target.processor)
            try:
                if qemu is None:
                    raise RuntimeError(f"qemu-{target.processor}-static is missing")
                root = userland.make("arm64", ["libc6"], folder / "userland")
            except RuntimeError as error:
                self._skipped.append(f"golden files on {target.processor}: {error}")
                return None
            return [qemu, "-L", str(root)]
        self._skipped.append(f"golden files on {target.system}: there is no emulator")
        return None

    def _import(self, files):
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT, str(files)], capture_output=True, text=True, cwd=files
        )
        if done.returncode != 0:
            raise RuntimeError(f"the wheel must be imported. Received: {done.stderr}")
        self._pass(f"imported, computing with {done.stdout.strip()}")
