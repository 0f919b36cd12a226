"""Faults that `convert` must find out: injected where they would be made."""

import dataclasses

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_dc import codec
from keras_dc.compression import custom_ops


@pytest.fixture
def lossy_coder(monkeypatch):
    """The last bit of one weight is lost when it is coded."""
    encode = codec.encode

    def encode_with_a_flaw(values, **options):
        flawed = values.copy()
        place = np.flatnonzero(flawed)[0]
        flawed.reshape(-1).view(np.uint32)[place] ^= 1
        return encode(flawed, **options)

    monkeypatch.setattr(codec, "encode", encode_with_a_flaw)


@pytest.fixture
def forgetful_op(monkeypatch):
    """Fused ops lose their activation, which `expand` makes up."""
    number = schema.BuiltinOperator.FULLY_CONNECTED
    right = custom_ops._BY_BUILTIN[number]

    def unpack(given):
        options = right.unpack(given)
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU
        return options

    wrong = dataclasses.replace(
        right, pack=lambda options: b"\0" + right.pack(options)[1:], unpack=unpack
    )
    monkeypatch.setitem(custom_ops._BY_BUILTIN, number, wrong)
    monkeypatch.setitem(custom_ops._BY_NAME, right.name, wrong)
