"""Models that parse and are odd or damaged never kill the process, in any runtime."""

import contextlib
import hashlib
import os

import numpy as np
import pytest
from support import float16_models, runtime_process, sparse_models, tiny_models
from support.mutants import mutants
from support.op_models import builtin, fully_connected_options, random_input, sparse_weights
from support.runtime_models import Model
from support.tiny_models import schema

import keras_dc as dc
from keras_dc import codec
from keras_dc.codec import bundles
from keras_dc.errors import KerasDcError

WEIGHTS = sparse_weights((5, 12))
X = random_input((1, 12))

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="crashes are looked for in forks")

BUILDERS = [
    tiny_models.mlp,
    tiny_models.conv_net,
    tiny_models.two_subgraphs,
    tiny_models.quantized,
    tiny_models.lookup,
    tiny_models.int4,
    tiny_models.mixed_readers,
    tiny_models.shared_weights,
    sparse_models.densified,
    sparse_models.densified_and_dense,
    sparse_models.densified_float16,
    sparse_models.densified_float16_table,
    sparse_models.densified_twice,
    float16_models.embedding,
    float16_models.small_bias,
    sparse_models.read_directly,
]


class OddModel:
    """One graph with an input x [1, 12]; `dense` and `decode` add ops of ours."""

    def __init__(self):
        self.model = Model()
        self.graph = self.model.graph()
        self.x = self.graph.tensor([1, 12], name="x")
        self.blob = self.graph.constant(codec.encode(WEIGHTS))

    def dense(self, *more_inputs, x=None, y=None):
        y = self.graph.tensor([1, 5], name="y") if y is None else y
        inputs = [self.x if x is None else x, self.blob, *more_inputs]
        self.graph.op("KerasDcFullyConnected", inputs, [y])
        return y

    def decode(self, y=None):
        y = self.graph.tensor([5, 12], name="w") if y is None else y
        self.graph.op("KerasDcDecode", [self.blob], [y])
        return y

    def builtin_dense(self, weights):
        y = self.graph.tensor([1, 5])
        options = fully_connected_options()
        self.graph.op(builtin.FULLY_CONNECTED, [self.x, weights, -1], [y], options)
        return y

    def pack(self, *outputs, inputs=None):
        self.graph.ends([self.x] if inputs is None else inputs, outputs)
        return self.model.pack()


def unread_second_head():
    odd = OddModel()
    y = odd.dense()
    odd.dense()
    return odd.pack(y)


def unread_in_the_middle():
    odd = OddModel()
    odd.dense()
    odd.decode()
    odd.builtin_dense(odd.decode())
    return odd.pack(odd.dense())


def output_that_is_decoded():
    odd = OddModel()
    y = odd.dense()
    odd.decode()
    return odd.pack(y)


def one_tensor_written_twice():
    odd = OddModel()
    y = odd.dense()
    odd.dense(y=y)
    return odd.pack(y)


def absent_bias():
    odd = OddModel()
    return odd.pack(odd.dense(-1))


def input_that_is_an_output_too():
    odd = OddModel()
    y = odd.dense()
    return odd.pack(y, odd.x)


def duplicated_subgraph():
    """The second graph has the same ops and blobs; no op calls it."""
    model = schema.ModelT.InitFromPackedBuf(unread_in_the_middle(), 0)
    model.subgraphs.append(model.subgraphs[0])
    return tiny_models.model_file.serialize(model)


RUNNING = [
    unread_second_head,
    unread_in_the_middle,
    output_that_is_decoded,
    one_tensor_written_twice,
    absent_bias,
    input_that_is_an_output_too,
    duplicated_subgraph,
]


@pytest.mark.parametrize("build", RUNNING, ids=lambda build: build.__name__)
@pytest.mark.parametrize("low_memory", ["false", "true"])
def test_odd_graphs_compute(process, build, low_memory):
    content, options = build(), {"low_memory": low_memory}
    assert process(runtime_process.fatal_signals, [content]) == [0]
    results = process(runtime_process.run_with_options, options, content, [X], [X])
    for y, *_ in results:
        np.testing.assert_allclose(y, X @ WEIGHTS.T, rtol=1e-5, atol=1e-5)


def input_without_memory():
    odd = OddModel()
    return odd.pack(odd.dense(x=odd.graph.tensor([1, 12])))


def bias_without_memory():
    odd = OddModel()
    return odd.pack(odd.dense(odd.graph.tensor([5])))


def constant_output():
    odd = OddModel()
    return odd.pack(odd.dense(y=odd.graph.constant(np.zeros((1, 5), np.float32))))


def decoded_twice():
    odd = OddModel()
    weights = odd.decode()
    odd.decode(weights)
    return odd.pack(odd.builtin_dense(weights))


def output_that_is_the_input():
    odd = OddModel()
    odd.blob = odd.graph.constant(codec.encode(sparse_weights((12, 12))))
    return odd.pack(odd.dense(y=odd.x))


def cycle():
    odd = OddModel()
    odd.blob = odd.graph.constant(codec.encode(sparse_weights((12, 12))))
    one, other = odd.graph.tensor([1, 12]), odd.graph.tensor([1, 12])
    odd.dense(x=one, y=other)
    return odd.pack(odd.dense(x=other, y=one))


def output_that_is_the_blob():
    odd = OddModel()
    return odd.pack(odd.decode(odd.blob))


REFUSED = [
    input_without_memory,
    bias_without_memory,
    constant_output,
    decoded_twice,
    output_that_is_the_input,
    cycle,
    output_that_is_the_blob,
]


@pytest.mark.parametrize("build", REFUSED, ids=lambda build: build.__name__)
def test_hopeless_graphs_are_refused(process, build):
    content = build()
    assert process(runtime_process.fatal_signals, [content]) == [0]
    message = process(runtime_process.running_error, content)
    assert message is not None


def with_constants(content):
    """The model with a constant in place of each KerasDcDecode, as the runtime sees it."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for subgraph in model.subgraphs or []:
        for operator in list(subgraph.operators or []):
            if model.operatorCodes[operator.opcodeIndex].customCode != b"KerasDcDecode":
                continue
            blob = model.buffers[subgraph.tensors[operator.inputs[0]].buffer].data
            if bundles.is_bundle(blob):
                options = operator.customOptions
                blob = bundles.blob_at(blob, 0 if options is None else int(options[0]))
            values = np.frombuffer(codec.decode(blob).tobytes(), np.uint8)
            model.buffers.append(schema.BufferT(values))
            subgraph.tensors[operator.outputs[0]].buffer = len(model.buffers) - 1
            subgraph.operators.remove(operator)
    return tiny_models.model_file.serialize(model)


def without_missing_tensors(content):
    """The model without those inputs and outputs of a graph that are none of its tensors.

    The runtimes read them, after an invoke of whatever ops, without a look whether there are such.
    None if there are none.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    is_mended = False
    for subgraph in model.subgraphs or []:
        size = len(subgraph.tensors or [])
        for field in ("inputs", "outputs"):
            indices = getattr(subgraph, field)
            kept = [index for index in ([] if indices is None else indices) if 0 <= index < size]
            if indices is not None and len(kept) < len(indices):
                setattr(subgraph, field, np.array(kept, np.int32))
                is_mended = True
    return tiny_models.model_file.serialize(model) if is_mended else None


def dies_without_us(process, content):
    """Whether the runtime dies of the model itself, or of its twins without our ops."""
    mended = without_missing_tensors(content)
    if mended is not None and process(runtime_process.fatal_signals, [mended]) == [0]:
        return True
    models = [content]
    for twin in (dc.expand, with_constants):
        # Some mutants have none.
        with contextlib.suppress(KerasDcError, LookupError, TypeError, AttributeError):
            models.append(twin(content))
    return any(process(runtime_process.fatal_signals_of_the_runtime, models))


def check_mutants(process, build, count, seed):
    content = dc.compress(build().serialize())
    models = list(mutants(content, np.random.default_rng(seed), count))
    signals = process(runtime_process.fatal_signals, models)
    deadly = [m for m, signal in zip(models, signals, strict=True) if signal]
    ours = [m for m in deadly if not dies_without_us(process, m)]
    assert [hashlib.sha256(m).hexdigest() for m in ours] == []


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_damaged_models_kill_no_process(process, build):
    check_mutants(process, build, 12, seed=4)


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_many_damaged_models_kill_no_process(process, build):
    check_mutants(process, build, 600, seed=5)
