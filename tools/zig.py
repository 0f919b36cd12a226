"""Cross compiling with zig, which comes from PyPI as `ziglang`."""

import dataclasses
import importlib.util
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).parents[1]
# The C++ runtime prints the names of uncaught exceptions, of which we have none, and takes 170 KB
# to make them readable.
_NO_DEMANGLER = """
__attribute__((visibility("hidden"))) char* __cxa_demangle(
    const char* name, char* buffer, __SIZE_TYPE__* size, int* status) {
  (void)name, (void)buffer, (void)size;
  if (status) *status = -1;
  return 0;
}
"""


@dataclasses.dataclass(frozen=True)
class Target:
    """A machine to compile for.

    Attributes:
        triple: as zig names it; behind the last dot the oldest glibc.
        system, processor: as CMake names them.
    """

    triple: str
    system: str
    processor: str


def zig():
    """Path of zig: pathlib.Path.

    Raises:
        RuntimeError: if the package is not installed.
    """
    found = importlib.util.find_spec("ziglang")
    if found is None:
        raise RuntimeError("zig compiles for other machines: pip install ziglang")
    return pathlib.Path(found.origin).parent / "zig"


def toolchain_file(target, folder):
    """Write a toolchain file for CMake into a folder, and return its path."""
    path = pathlib.Path(folder) / f"{target.triple}.cmake"
    source, compiled = path.with_name("no_demangler.c"), path.with_name("no_demangler.o")
    source.write_text(_NO_DEMANGLER)
    compile_program(target, source, compiled, "-c")
    path.write_text(
        f"set(CMAKE_SYSTEM_NAME {target.system})\n"
        f"set(CMAKE_SYSTEM_PROCESSOR {target.processor})\n"
        f'set(CMAKE_C_COMPILER "{zig()}" cc)\n'
        f'set(CMAKE_CXX_COMPILER "{zig()}" c++)\n'
        f"set(CMAKE_C_COMPILER_TARGET {target.triple})\n"
        f"set(CMAKE_CXX_COMPILER_TARGET {target.triple})\n"
        # What is stripped by the linker needs no `strip` for the machine.
        f'set(CMAKE_SHARED_LINKER_FLAGS_INIT "-s {compiled}")\n'
    )
    return path


def build(machine, folder, *options, target="all"):
    """Configure `tflite_ops` for a machine in a folder, and build it.

    Args:
        machine: Target.
        folder: pathlib.Path of the build; made if it is not there.
        *options: further arguments for CMake.
        target: what of it to build.

    Raises:
        subprocess.CalledProcessError: if that fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    configure = ["cmake", "-S", ROOT / "tflite_ops", "-B", folder, "-G", "Ninja",
                 "-DCMAKE_BUILD_TYPE=Release",
                 f"-DCMAKE_TOOLCHAIN_FILE={toolchain_file(machine, folder)}"]  # fmt: skip
    # A second time CMake would forget the toolchain, whose compiler has an argument.
    if not (folder / "build.ninja").exists():
        subprocess.run([*configure, *options], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder, "--target", target, "--", "--quiet"], check=True)


def compile_program(target, source, program, *options):
    """Compile a program of one C file; `options` come behind the file."""
    command = [zig(), "cc", "-target", target.triple, "-std=gnu11", "-O1", "-Wall", "-Wextra",
               "-I", ROOT / "tflite_ops" / "include", source, "-o", program]  # fmt: skip
    subprocess.run([*command, *options], check=True)
