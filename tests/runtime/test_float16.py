"""float16 files in every installed runtime: what they compute when they are compressed."""

import numpy as np
import pytest
from support import float16_models, runtime_process
from support.inspection import operators
from support.op_models import random_input

import keras_dc as dc

# What is built, and the shapes of its input.
FUSED = {
    float16_models.layers: [(1, 128), (5, 128), (2, 128)],
    float16_models.convolution: [(1, 8, 8, 16), (3, 8, 8, 16)],
    float16_models.read_by_two_ops: [(1, 64), (4, 64)],
    float16_models.small_bias: [(1, 64), (3, 64), (1, 64)],
}
# The built-in ops compute, at the speed and to the bits of the original.
DECODED = {
    float16_models.dense_layers: [(1, 128), (5, 128)],
    float16_models.dequantized_twice: [(1, 64), (4, 64)],
}


def run_both(process, original, feeds, **options):
    compressed = dc.compress(original)
    results = process(runtime_process.run, compressed, *feeds, **options)
    expected = process(runtime_process.run_plain, original, *feeds, **options)
    return [(got, wanted) for [got], [wanted] in zip(results, expected, strict=True)]


@pytest.mark.parametrize("options", [{}, {"num_threads": 2}], ids=str)
@pytest.mark.parametrize("build", FUSED, ids=lambda build: build.__name__)
def test_fused_ops_agree_with_the_original(process, build, options):
    feeds = [[random_input(shape, seed=i)] for i, shape in enumerate(FUSED[build])]
    for got, wanted in run_both(process, build().serialize(), feeds, **options):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", DECODED, ids=lambda build: build.__name__)
def test_decoded_weights_give_the_bits_of_the_original(process, build):
    feeds = [[random_input(shape, seed=i)] for i, shape in enumerate(DECODED[build])]
    for got, wanted in run_both(process, build().serialize(), feeds):
        np.testing.assert_array_equal(got, wanted)


def test_a_table_is_decoded_to_float32(process):
    original = float16_models.embedding().serialize()
    assert operators(dc.compress(original)) == ["KerasDcDecode", "GATHER"]
    feeds = [[np.arange(size, dtype=np.int32)] for size in (6, 2, 6)]
    for got, wanted in run_both(process, original, feeds):
        assert np.count_nonzero(wanted)
        np.testing.assert_array_equal(got, wanted)


def test_what_xnnpack_took_it_takes_still(process):
    """It refuses layers whose weights are float32 and whose bias is behind a DEQUANTIZE."""
    original = float16_models.dense_layers().serialize()
    plain = process(runtime_process.count_delegates_of_the_runtime, original)
    coded = process(runtime_process.count_delegates, dc.compress(original))
    assert plain == 1
    num_decoded = operators(dc.compress(original)).count("KerasDcDecode")
    assert coded > num_decoded
