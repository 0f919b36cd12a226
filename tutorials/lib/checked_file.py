"""Data files, verified before they are used."""

import hashlib
import pathlib


def read(path, sha256):
    """The content of a file that must be the one that figures were measured on.

    Args:
        path: of the file.
        sha256: str, its SHA-256 in hexadecimal digits.

    Returns:
        bytes.

    Raises:
        ValueError: if the file's SHA-256 is another one.
    """
    content = pathlib.Path(path).read_bytes()
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != sha256:
        raise ValueError(f"{path} must have the SHA-256 {sha256}. Received: {checksum}")
    return content
