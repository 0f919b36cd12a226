import numpy as np
import pytest
from support.dense_nets import mobile_net
from support.recurrent_nets import INPUTS, STEPS, fused_net

from keras_dc.compression import lossless
from keras_dc.post_training.reconstruction import layers as layers_of
from keras_dc.post_training.reconstruction import unfused
from keras_dc.post_training.reconstruction.parts import Part


@pytest.mark.parametrize("is_time_major", [False, True])
@pytest.mark.parametrize(
    ("batch", "clip", "dtype"), [(1, 0.0, np.float32), (2, 0.2, np.float32), (1, 0.2, np.float16)]
)
def test_a_loop_computes_what_the_fused_op_does(is_time_major, batch, clip, dtype):
    net = fused_net(is_time_major=is_time_major, batch=batch, clip=clip, dtype=dtype).serialize()
    source = lossless.Source.of(net)
    loop = unfused.source_of(source)
    outputs = [int(tensor) for tensor in source.graph.model.subgraphs[0].outputs]
    order = (STEPS, batch) if is_time_major else (batch, STEPS)
    x = np.random.default_rng(0).normal(size=(*order, INPUTS)).astype(np.float32)
    [want], [got] = (list(Part(s.graph, [0], outputs)({0: x}).values()) for s in (source, loop))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    assert np.ptp(want) > 0.1


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_buffers_keep_their_numbers_and_the_source_is_as_it_was(dtype):
    source = lossless.Source.of(fused_net(dtype=dtype).serialize())
    before = [len(subgraph.operators) for subgraph in source.graph.model.subgraphs]
    loop = unfused.source_of(source)
    layers, others = layers_of.find_layers(loop)
    names = [loop.graph.name(layer.weights.tensors[0]) for layer in layers]
    found = {c.buffer: c.values for c in source.constants}
    assert len(layers) == 9
    assert others == {}
    assert len(set(names)) == 9
    for layer in layers:
        np.testing.assert_array_equal(found[layer.weights.buffer], layer.weights.values)
    assert [len(subgraph.operators) for subgraph in source.graph.model.subgraphs] == before
    assert len(source.graph.model.buffers) < len(loop.graph.model.buffers)


def test_what_is_not_known_stays():
    source = lossless.Source.of(fused_net(has_peepholes=True).serialize())
    assert unfused.source_of(source) is source
    _, others = layers_of.find_layers(source)
    assert set(others.values()) == {"UNIDIRECTIONAL_SEQUENCE_LSTM has no second-order support"}
    plain = lossless.Source.of(mobile_net().serialize())
    assert unfused.source_of(plain) is plain
