"""Builds the decoder for microcontrollers for a Cortex-M4, and runs it under qemu on golden blobs.

    cd tests && python -m cortex_m.check

What it decodes is compared with the library of this machine; blobs that must be refused are refused
with their status. Sizes are printed and held to their limits. Needs the installed package, CMake,
ninja, and `apt install gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib
qemu-system-arm`; says NOT RUN where a tool is missing.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zlib

from keras_dc import codec, errors

HERE = pathlib.Path(__file__).parent
TESTS = HERE.parent
OPS = TESTS.parent / "tflite_ops"
COMPILER, QEMU = "arm-none-eabi-g++", "qemu-system-arm"
MAX_TEXT_BYTES = 16 * 1024
MAX_RAM_BYTES = 4 * 1024
OK, TOO_LARGE, NOT_SUPPORTED = 0, 10, 16
FLAGS = [
    "-std=c++17", "-Os", "-mcpu=cortex-m4", "-mthumb", "-fno-exceptions", "-fno-rtti", "-Wall",
    "-Wextra", "-Werror", f"-I{OPS}/include",
]  # fmt: skip
# A build that allocates or throws has one of these.
FORBIDDEN = re.compile(r"\b(_?malloc(_r)?|free|calloc|_Zn[wa]\w*|_Zd[la]\w*|__cxa_throw\w*)$")


def write_made_blobs(folder):
    """Writes blobs that only a machine of 32 bits refuses: named as golden errors are."""
    # 2^30 + 1 float32 weights, all zero: 4 bytes more than the machine can count.
    body = bytes([*b"KDC", 1, 0x10, 0, 1, 0x81, 0x80, 0x80, 0x80, 4, 0, 0])
    blob = body + zlib.crc32(body).to_bytes(4, "little")
    (folder / f"{TOO_LARGE}-bytes_beyond_32_bits.blob").write_bytes(blob)


def blobs(folder):
    """Names and paths of what is decoded, and of what is refused; `folder` has the made ones."""
    for path in sorted(folder.glob("*.blob")):
        yield f"made/{path.stem}", path
    for folder in ("golden", "golden_errors"):
        for path in sorted((TESTS / folder).glob("*.blob")):
            yield f"{folder}/{path.stem}", path


def expected(path):
    """(status, CRC-32 of the weights in C order, 0 if there are none) of a blob."""
    if path.parent not in (TESTS / "golden", TESTS / "golden_errors"):
        return int(path.stem.partition("-")[0]), 0
    try:
        info, values = codec.decode_with_info(path.read_bytes())
    except errors.CodecError:
        return int(path.stem.partition("-")[0]), 0
    if info.coder == "arithmetic":
        return NOT_SUPPORTED, 0
    return OK, zlib.crc32(values.tobytes())


def write_table(folder):
    """Assembly that holds all blobs, and the table of them that the firmware reads."""
    lines = [".section .blobs, \"a\"", ".global blobs, num_blobs", ".balign 4"]  # fmt: skip
    found = list(blobs(folder))
    lines += [f"num_blobs: .word {len(found)}", "blobs:"]
    lines += [f".word name{i}, blob{i}, end{i}" for i in range(len(found))]
    for i, (name, blob) in enumerate(found):
        lines += [f'name{i}: .asciz "{name}"', f'blob{i}: .incbin "{blob}"', f"end{i}:"]
    (folder / "blobs.s").write_text("\n".join(lines) + "\n")


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=240)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    # qemu's semihosting prints to stderr.
    return done.stdout + done.stderr


def build(folder):
    """The firmware, an ELF file: the library as CMake makes it, and a program that calls it."""
    run("cmake", "-S", OPS, "-B", folder / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=MinSizeRel",
        f"-DCMAKE_TOOLCHAIN_FILE={HERE}/toolchain.cmake", "-DKERAS_DC_MICROCONTROLLER=ON",
        "-DKERAS_DC_WARNINGS_AS_ERRORS=ON")  # fmt: skip
    run("cmake", "--build", folder / "build")
    write_made_blobs(folder)
    write_table(folder)
    program = folder / "firmware.elf"
    run(COMPILER, *FLAGS, HERE / "firmware.cc", folder / "blobs.s",
        folder / "build/libkeras_dc_small.a", "-o", program, "-nostartfiles", "-nostdlib",
        f"-Wl,-T,{HERE}/memory.ld", "-Wl,--gc-sections", "-Wl,--start-group", "-lm", "-lc",
        "-lgcc", "-Wl,--end-group")  # fmt: skip
    return program


def section_sizes(program):
    """Bytes of each section: dict."""
    output = run("arm-none-eabi-size", "-A", program)
    return {name: int(size) for name, size in re.findall(r"^(\.\S+)\s+(\d+)", output, re.M)}


def check_sizes(program, stack_bytes):
    sizes = section_sizes(program)
    text_bytes = sizes[".text"] + sizes.get(".ARM.exidx", 0) + sizes.get(".data", 0)
    static_bytes = sizes.get(".data", 0) + sizes.get(".bss", 0)
    memory_bytes = sizes[".decoder_memory"]
    ram_bytes = static_bytes + memory_bytes + stack_bytes
    print(
        f"Cortex-M4, -Os: text {text_bytes:,} bytes, the program that calls it included; "
        f"RAM {ram_bytes:,} bytes beside the output: {static_bytes:,} static, "
        f"{memory_bytes:,} from the caller, {stack_bytes:,} of stack",
        flush=True,
    )
    assert text_bytes <= MAX_TEXT_BYTES, text_bytes
    assert ram_bytes <= MAX_RAM_BYTES, ram_bytes
    forbidden = [line for line in run("arm-none-eabi-nm", program).splitlines()
                 if FORBIDDEN.search(line)]  # fmt: skip
    assert not forbidden, forbidden


def check_results(output, folder):
    """Compares what the firmware printed; returns the numbers of blobs decoded and refused."""
    printed = dict(re.findall(r"^(\S+/\S+) (\d+ \d+)$", output, re.M))
    decoded = refused = 0
    for name, path in blobs(folder):
        status, checksum = expected(path)
        found = tuple(map(int, printed[name].split()))
        # A blob of the other coder is refused before what is wrong with it is read.
        if found == (NOT_SUPPORTED, 0) and "arithmetic" in name:
            continue
        assert found == (status, checksum), (name, found, (status, checksum))
        decoded += status == OK
        refused += status != OK
    assert decoded > 30, decoded
    assert refused > 50, refused
    return decoded, refused


def main():
    missing = [tool for tool in (COMPILER, QEMU, "cmake", "ninja") if shutil.which(tool) is None]
    if missing:
        print(f"NOT RUN: {' and '.join(missing)} missing", flush=True)
        return
    with tempfile.TemporaryDirectory() as scratch:
        program = build(pathlib.Path(scratch))
        output = run(QEMU, "-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial",
                     "none", "-semihosting-config", "enable=on,target=native", "-kernel",
                     program)  # fmt: skip
        decoded, refused = check_results(output, pathlib.Path(scratch))
        check_sizes(program, int(re.search(r"^stack (\d+)$", output, re.M).group(1)))
    print(f"{decoded} blobs decoded, {refused} refused: as on this machine")


if __name__ == "__main__":
    main()
