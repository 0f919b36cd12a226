"""The C functions: buffer to buffer, and part by part."""

import ctypes

import pytest
from support import tiny_models

import keras_dc as dc
from keras_dc.codec import library

CONTENT = tiny_models.mlp(sizes=(100, 80, 10)).serialize()
OK, WRONG_BUFFER_SIZE, WRITE_FAILED = 0, 3, 15


@pytest.fixture
def unpack_to():
    """`kdc_unpack_to`: returns `(status, list of the parts)`."""
    taker = ctypes.CFUNCTYPE(
        ctypes.c_int32, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t
    )
    function = library.library().kdc_unpack_to
    function.restype = ctypes.c_int32

    def call(packed, *, most=1 << 30):
        taken = []

        def take(_, data, size):
            if sum(map(len, taken)) + size > most:
                return 1
            taken.append(ctypes.string_at(data, size))
            return 0

        status = function(
            packed, ctypes.c_size_t(len(packed)), None, ctypes.c_size_t(0), taker(take), None
        )
        return status, taken

    return call


def test_parts_come_in_order(unpack_to):
    status, taken = unpack_to(dc.pack(CONTENT))
    assert status == OK
    assert len(taken) > 2
    assert b"".join(taken) == CONTENT


def test_a_writer_may_stop(unpack_to):
    status, taken = unpack_to(dc.pack(CONTENT), most=1000)
    assert status == WRITE_FAILED
    assert CONTENT.startswith(b"".join(taken))


def test_a_buffer_of_another_size_is_refused():
    packed = dc.pack(CONTENT)
    size = ctypes.c_size_t()
    unpacked_size = library.library().kdc_unpacked_size
    assert unpacked_size(packed, ctypes.c_size_t(len(packed)), ctypes.byref(size)) == OK
    assert size.value == len(CONTENT)
    for wrong in (len(CONTENT) - 1, len(CONTENT) + 1):
        out = ctypes.create_string_buffer(wrong)
        status = library.library().kdc_unpack(packed, len(packed), None, 0, out, wrong)
        assert status == WRONG_BUFFER_SIZE
