"""Fixtures of several packages: processes of runtimes and backends, and faults for `convert`.

Besides, what keeps the suite fast: the order of tests, threads, garbage collection.
"""

import dataclasses
import gc
import importlib.util
import os

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support import backend_run as backends
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


def pytest_collection_modifyitems(config, items):
    """Puts the tests last that wait for the run of another backend.

    With several workers of pytest-xdist they come first: one waits, the others go on.
    """
    comes_first = hasattr(config, "workerinput")
    items.sort(key=lambda item: ("backend_run" in item.fixturenames) != comes_first)


def pytest_configure(config):
    """Workers of pytest-xdist have a core each: more threads would only wait for each other."""
    if hasattr(config, "workerinput"):
        # TensorFlow's, and Torch's: they are read when these are imported, which is later.
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(name, "1")


def pytest_collection_finish():
    """Leaves the millions of objects of imported libraries out of garbage collection.

    To look through them again and again took a fifth of the time of the training's tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(scope="session", autouse=True)
def backend_runs(request, tmp_path_factory):
    """Gives the `BackendRun` of a backend; those of selected tests start at once."""
    runs = {}

    def run(backend):
        if backend not in runs:
            runs[backend] = backends.BackendRun(backend, tmp_path_factory.mktemp(backend))
        return runs[backend]

    # Of several workers of pytest-xdist, the one that waits starts the run.
    if not hasattr(request.config, "workerinput"):
        for item in request.session.items:
            if "backend_run" in item.fixturenames:
                backend = item.callspec.params["backend_run"]
                if importlib.util.find_spec(backend) is not None:
                    run(backend)
    yield run
    for started in runs.values():
        started.stop()


@pytest.fixture(params=backends.BACKENDS)
def backend_run(request, backend_runs):
    """The `BackendRun` of each backend that is installed."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return backend_runs(request.param)


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
