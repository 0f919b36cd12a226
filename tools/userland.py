"""The files of another machine's Debian, for qemu-user: no root rights, no chroot, no binfmt.

Needs apt-get and dpkg-deb of a Debian or Ubuntu, and their sources.
"""

import shutil
import subprocess

# What glibc and the runtimes ask of the processor; without it, they read the host's.
_CPUINFO = """\
processor\t: {number}
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp asimdrdm asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

"""


def emulator(machine):
    """Path of qemu for programs of `machine` ("aarch64", "arm", "riscv64"); None if missing."""
    return shutil.which(f"qemu-{machine}-static") or shutil.which(f"qemu-{machine}")


def make(architecture, packages, folder):
    """Unpack packages of an architecture, and all that they depend on, into a folder.

    Args:
        architecture: as Debian names it, such as "arm64".
        packages: list of str.
        folder: pathlib.Path, made anew.

    Returns:
        pathlib.Path, the root for `qemu -L`.

    Raises:
        RuntimeError: if apt-get or dpkg-deb is missing, or the packages cannot be had.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise RuntimeError(f"a userland is made of .deb files by {tool}, which is missing")
    shutil.rmtree(folder, ignore_errors=True)
    root, cache = folder / "root", folder / "cache"
    for place in (root, folder / "state/lists/partial", cache / "archives/partial"):
        place.mkdir(parents=True)
    (folder / "status").touch()
    options = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": cache,
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "APT::Keep-Downloaded-Packages": "true",
        "DPkg::Post-Invoke": "",
        "APT::Update::Post-Invoke": "",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    # One of several sources may be out of order: then the packages come from the others.
    update_error = _error([*apt, "update"])
    error = _error(
        [*apt, "install", "--yes", "--download-only", "--no-install-recommends", *packages]
    )
    if error:
        raise RuntimeError(f"{error} {update_error}")
    archives = sorted((cache / "archives").glob("*.deb"))
    if not archives:
        raise RuntimeError(f"apt-get must download {packages}. Received: no .deb file")
    for archive in archives:
        error = _error(["dpkg-deb", "--extract", archive, root])
        if error:
            raise RuntimeError(error)
    shutil.rmtree(cache)
    _make_links_relative(root)
    _choose_alternatives(root)
    if architecture == "arm64":
        (root / "proc").mkdir(exist_ok=True)
        (root / "proc/cpuinfo").write_text("".join(_CPUINFO.format(number=i) for i in range(2)))
    return root


def _error(command):
    """Run a command; what it said if it failed, else ""."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    return f"{command[0]} failed. Received: {done.stderr.strip()[-1000:]}"


def _make_links_relative(root):
    """Of links to absolute paths, which would lead out of the root."""
    for path in root.rglob("*"):
        if path.is_symlink() and path.readlink().is_absolute():
            inside = root / path.readlink().relative_to("/")
            path.unlink()
            path.symlink_to(inside)


def _choose_alternatives(root):
    """Link libraries that have a folder of their own to where they are found.

    An installation does so for one of the packages that have such a library.
    """
    for library in sorted(root.glob("usr/lib/*/*/lib*.so.*")):
        link = library.parent.parent / library.name
        if library.parent.name in ("blas", "lapack") and not link.exists():
            link.symlink_to(library)
