"""Runs a library of another machine over the golden files, and compares with their digests."""

import hashlib
import json
import pathlib
import subprocess

from tools import zig

TESTS = zig.ROOT / "tests"
SOURCE = pathlib.Path(__file__).with_suffix(".c")


def _cases():
    """(kind, input, base or None, digest, status) of each golden file."""
    blobs, packs = TESTS / "golden", TESTS / "golden_packs"
    for name, digest in json.loads((blobs / "digests.json").read_text()).items():
        yield "blob", blobs / f"{name}.blob", None, digest, 0
    for path in sorted((TESTS / "golden_errors").glob("*.blob")):
        yield "blob", path, None, None, int(path.name.split("-")[0])
    for name, digest in json.loads((packs / "digests.json").read_text()).items():
        path = packs / f"{name}.kdc"
        is_patch = path.read_bytes()[4:5] in (b"\1", b"\3")
        yield "patch" if is_patch else "pack", path, packs / "base.bin", digest, 0
    for path in sorted((packs / "errors").glob("*.kdc")):
        status = int(path.name.split("-")[0])
        is_patch = path.read_bytes()[4:5] in (b"\1", b"\3") and status != 14
        yield "patch" if is_patch else "pack", path, packs / "base.bin", None, status


def compile_for(target, folder, *options):
    """Compile the program that decodes the files; returns its path."""
    end = ".exe" if target.system == "Windows" else ""
    program = folder / f"golden_files{end}"
    zig.compile_program(target, SOURCE, program, *options)
    return program


def check(command, library, folder):
    """Decode all golden files, and encode what the blobs hold again.

    Args:
        command: list of str, how the compiled program is started here.
        library: path of the library that it loads.
        folder: pathlib.Path, empty, for what it writes.

    Returns:
        (int, str, str): the number of files, a digest of all blobs that were encoded again,
        and the instruction set that the library computed with.

    Raises:
        RuntimeError: if a file decodes to other bytes, or gives another status, than it must.
    """
    cases = list(_cases())
    lines = []
    for number, (kind, path, base, _, _) in enumerate(cases):
        lines.append(f"{kind} {path} {folder / str(number)}")
        if kind == "patch":
            lines[-1] += f" {base}"
    listing = folder / "list.txt"
    listing.write_text("\n".join(lines) + "\n")
    done = subprocess.run([*command, library, listing], capture_output=True, text=True)
    answers = done.stdout.split("\n")
    if done.returncode != 0 or len(answers) < len(cases) + 2:
        raise RuntimeError(
            f"the golden files must be read. Received: exit status {done.returncode} after "
            f"{len(answers) - 1} of {len(cases)} files: {done.stderr.strip()[-2000:]}"
        )
    again = hashlib.sha256()
    for number, (kind, path, _, digest, status) in enumerate(cases):
        shape, _, found = answers[number].strip().rpartition(" ")
        output = folder / str(number)
        if int(found) != status:
            raise RuntimeError(f"{path.name} must give status {status}. Received: {found}")
        if digest is None:
            continue
        answer = hashlib.sha256(output.read_bytes()).hexdigest()
        if kind == "blob":
            answer = f"{shape} {answer}"
            again.update((folder / f"{number}.again").read_bytes())
        if answer != digest:
            raise RuntimeError(f"{path.name} must decode to {digest}. Received: {answer}")
    return len(cases), again.hexdigest(), answers[len(cases)].strip()
