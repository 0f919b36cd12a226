"""Refuse what is not a whole TFLite model before a runtime reads it: some die of such files.

The library does it (keras_dc/model.h), so that a device needs no flatbuffer package.
"""

import contextlib
import mmap
import os

import numpy as np

from keras_dc.codec import library
from keras_dc.errors import ModelFormatError


def checked_path(path):
    """The path of a model as text, if a whole model lies there.

    Args:
        path: str or path-like.

    Returns:
        str.

    Raises:
        TypeError: if it is no path.
        FileNotFoundError: if there is nothing at the path.
        IsADirectoryError: if the path is a folder's.
        ModelFormatError: if it is not the path of a whole TFLite model.
    """
    if not isinstance(path, (str, os.PathLike)):
        kind = "bytes" if isinstance(path, bytes) else type(path).__name__
        raise TypeError(
            "`model_path` must be the path of a file; bytes of a model are given as "
            f"`model_content`. Received: {kind}"
        )
    path = os.fspath(path)
    path = os.fsdecode(path) if isinstance(path, bytes) else path
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"`model_path` must be the path of a file. Received: the folder {path!r}"
        )
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no file at the path. Received: model_path={path!r}")
    if not os.path.isfile(path):
        raise ModelFormatError(
            f"`model_path` must be the path of a regular file. Received: model_path={path!r}"
        )
    with open(path, "rb") as file, contextlib.ExitStack() as stack:
        size = os.path.getsize(path)
        # An empty file cannot be mapped.
        content = (
            stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            if size
            else b""
        )
        _check(content, f"model_path={path!r}")
    return path


def checked_content(content):
    """The bytes of a model, if it is whole.

    Args:
        content: bytes-like.

    Returns:
        bytes.

    Raises:
        TypeError: if it is not bytes.
        ModelFormatError: if it is not a whole TFLite model.
    """
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise TypeError(
            "`model_content` must be the bytes of a model; a path is given as `model_path`. "
            f"Received: {type(content).__name__}"
        )
    content = content if isinstance(content, bytes) else bytes(content)
    _check(content, "`model_content`")
    return content


def _check(content, what):
    # A file cannot be unmapped while an array, even one of a traceback, looks at it: the
    # library is looked for first.
    check_model = library.library().kdc_check_model
    array = np.frombuffer(content, np.uint8)
    fault = check_model(array.ctypes.data, array.size)
    size, head = array.size, array[:8].tobytes()
    del array
    if fault is not None:
        raise ModelFormatError(
            f"{fault.decode()}. Received: {what}, {size} bytes that begin with {head!r}"
        )
