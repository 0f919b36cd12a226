"""Signatures, and ops in the body of a loop, in every installed runtime."""

import numpy as np
from support import runtime_process
from support.op_models import coded_dense_model, loop_model, random_input, sparse_weights
from support.tiny_models import mlp

import keras_dc as dc
from keras_dc import codec


def test_ops_in_the_body_of_a_loop(process):
    fused, decoded = (sparse_weights((8, 8), density=0.6, seed=seed) for seed in (3, 4))
    x = random_input((1, 8))
    start = np.array(0, np.int32)
    results = process(runtime_process.run, loop_model(fused, decoded), [start, x], [start, x])
    for _ in range(3):
        x = np.maximum(x @ fused.T, 0) @ decoded.T
    for _, y in results:
        np.testing.assert_allclose(y, x, rtol=1e-5, atol=1e-5)


def test_low_memory_decodes_once_for_all_steps_of_a_loop(process):
    fused, decoded = (sparse_weights((8, 8), density=0.6, seed=seed) for seed in (3, 4))
    loop, blob = loop_model(fused, decoded), codec.encode(fused)
    layer = coded_dense_model(fused)
    x = random_input((1, 8))
    steps = [np.array(0, np.int32), x]
    low, fast = {"low_memory": "true"}, {"low_memory": "false"}

    def outputs(options, model, inputs):
        place = model.index(blob), len(blob)
        return process(runtime_process.run_after_damage, options, model, *place, inputs)

    # Outside of a loop low memory decodes at every invoke; here it meets zeros.
    assert "KerasDcFullyConnected 'dense'" in outputs(low, layer, [x])
    np.testing.assert_allclose(outputs(fast, layer, [x])[0], x @ fused.T, rtol=1e-5, atol=1e-5)
    for _ in range(3):
        x = np.maximum(x @ fused.T, 0) @ decoded.T
    for options in (low, fast):
        np.testing.assert_allclose(outputs(options, loop, steps)[1], x, rtol=1e-5, atol=1e-5)


def test_a_model_of_several_subgraphs_is_compressed_whole(process):
    fused, decoded = (sparse_weights((8, 8), density=0.6, seed=seed) for seed in (3, 4))
    plain = dc.expand(loop_model(fused, decoded))
    inputs = [np.array(0, np.int32), random_input((1, 8))]
    [[_, expected]] = process(runtime_process.run_plain, plain, inputs)
    compressed = dc.compress(plain)
    assert len(dc.inspect(compressed)) == 2
    [[_, y]] = process(runtime_process.run, compressed, inputs)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_signatures_work(process):
    content = dc.compress(mlp().serialize())
    x = random_input((1, 784))
    logits = process(runtime_process.run_signature, content, "serving_default", {"images": x})
    [[expected]] = process(runtime_process.run_plain, mlp().serialize(), [x])
    assert list(logits) == ["logits"]
    np.testing.assert_allclose(logits["logits"], expected, rtol=1e-4, atol=1e-5)
