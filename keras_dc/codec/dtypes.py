"""The element types that a blob can hold."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class DType:
    """An element type: its name, its code, and how NumPy holds it.

    Attributes:
        name: "float32", "float16", "bfloat16", "int8" or "int4".
        code: `kdc_dtype` of the C ABI, which also stands in blobs (FORMAT.md, 3).
        storage: NumPy dtype of arrays of this type. NumPy has no bfloat16, so uint16
            holds its bit patterns; int8 holds int4, one value an element, from -8 to 7.
        size_bits: bits of one element in the buffer of a `.tflite` file, where two int4
            values share a byte.
    """

    name: str
    code: int
    storage: np.dtype
    size_bits: int


DTYPES = (
    DType("float32", 0, np.dtype(np.float32), 32),
    DType("float16", 1, np.dtype(np.float16), 16),
    DType("bfloat16", 2, np.dtype(np.uint16), 16),
    DType("int8", 3, np.dtype(np.int8), 8),
    DType("int4", 4, np.dtype(np.int8), 4),
)
BY_NAME = {dtype.name: dtype for dtype in DTYPES}
BY_CODE = {dtype.code: dtype for dtype in DTYPES}
