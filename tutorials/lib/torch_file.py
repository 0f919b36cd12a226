"""Arrays out of files that PyTorch saved, without PyTorch.

Such a file is a ZIP archive: a pickle that names its tensors, and the numbers of each storage. The
pickle may call nothing but what makes a dict of tensors.
"""

import collections
import io
import pickle
import zipfile

import numpy as np

_DTYPES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4"}


def arrays(content):
    """The tensors of a state dict.

    Args:
        content: bytes of a `.pth` file whose numbers lie as little-endian.

    Returns:
        dict of arrays by their names.

    Raises:
        ValueError: if the pickle calls something else, or holds tensors of another type.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        folder = name.removesuffix("data.pkl")
        tensors = _Unpickler(archive, folder, io.BytesIO(archive.read(name))).load()
    return dict(tensors)


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive, folder, file):
        super().__init__(file)
        self._archive, self._folder = archive, folder

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise ValueError(f"the file must hold a dict of tensors. Received: {module}.{name}")

    def persistent_load(self, pid):
        _, dtype, key, _, size = pid
        return np.frombuffer(self._archive.read(f"{self._folder}data/{key}"), dtype, size)


def _tensor(storage, offset, shape, strides, *_):
    """An array of a storage; strides count numbers, not bytes."""
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides))
    if min(offset, *shape, *strides, 0) < 0 or (0 not in shape and last >= len(storage)):
        raise ValueError(
            "a tensor must lie in its storage. Received: "
            f"shape={shape}, strides={strides}, offset={offset} in {len(storage)}"
        )
    steps = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps).copy()


def legacy_arrays(content):
    """The tensors of a state dict in the form that PyTorch wrote before version 1.6.

    Such a file is a row of pickles: three that tell of the file, the dict, and the keys of the
    storages, whose numbers follow in that order, each after its length.

    Args:
        content: bytes of a `.pth` file.

    Returns:
        dict of arrays by their names.

    Raises:
        ValueError: see `arrays`.
    """
    file, storages = io.BytesIO(content), {}
    for _ in range(3):
        _Legacy(file, storages).load()
    begin = file.tell()
    # Tensors are copies of their storages, which come later: at first all are zeros.
    _Legacy(file, storages).load()
    for key in _Legacy(file, storages).load():
        [size] = np.frombuffer(file.read(8), "<i8")
        dtype = storages[key].dtype
        storages[key] = np.frombuffer(file.read(int(size) * dtype.itemsize), dtype)
    file.seek(begin)
    return dict(_Legacy(file, storages).load())


class _Legacy(_Unpickler):
    """Takes storages that are known, and makes those of zeros that are not."""

    def __init__(self, file, storages):
        pickle.Unpickler.__init__(self, file)
        self._storages = storages

    def persistent_load(self, pid):
        _, dtype, key, _, size, *_ = pid
        return self._storages.setdefault(key, np.zeros(size, dtype))
