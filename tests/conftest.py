"""Fixtures of several packages: a process per runtime, and faults that `convert` must find out."""

import dataclasses
import importlib.util

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support import runtime_process

from keras_dc import codec
from keras_dc.codec import library
from keras_dc.compression import custom_ops


@pytest.fixture(scope="session")
def started_processes():
    """The `RuntimeProcess` of each runtime that a test has asked for, by name."""
    started = {}
    yield started
    for process in started.values():
        process.close()


@pytest.fixture(params=list(runtime_process.MODULES))
def process(request, started_processes):
    """A process for each runtime; it starts once and serves all tests."""
    name = request.param
    package = runtime_process.MODULES[name].split(".")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    if name not in started_processes:
        started_processes[name] = runtime_process.RuntimeProcess(name, library.op_library_path())
    return started_processes[name]


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
