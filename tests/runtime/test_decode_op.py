"""KerasDcDecode in every installed runtime: bits of the model with plain weights."""

import numpy as np
import pytest
from support import runtime_process
from support.op_models import builtin, convolution_model, random_input, sparse_weights


@pytest.mark.parametrize("code", [builtin.CONV_2D, builtin.DEPTHWISE_CONV_2D])
def test_decoded_convolution_gives_the_bits_of_the_plain_one(process, code):
    shape = (16, 3, 3, 4) if code == builtin.CONV_2D else (1, 3, 3, 4)
    kernel = sparse_weights(shape, density=0.5)
    bias = random_input(shape[0] if code == builtin.CONV_2D else 4)
    feeds = [[random_input((batch, 8, 8, 4), seed=batch)] for batch in (1, 3, 2, 1)]
    coded = convolution_model(kernel, bias, coded=True, code=code)
    plain = convolution_model(kernel, bias, coded=False, code=code)
    for [y], [expected] in zip(
        process(runtime_process.run, coded, *feeds),
        process(runtime_process.run_plain, plain, *feeds),
        strict=True,
    ):
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    "options",
    [
        {"num_threads": 2},
        {"experimental_preserve_all_tensors": True},
        {"resolver": "BUILTIN_WITHOUT_DEFAULT_DELEGATES"},
        {"resolver": "BUILTIN_REF"},
    ],
    ids=lambda options: str(*options.values()),
)
def test_decoded_convolution_under_other_interpreter_options(process, options):
    kernel, bias = sparse_weights((16, 3, 3, 4), density=0.5), random_input(16)
    feeds = [[random_input((batch, 8, 8, 4), seed=batch)] for batch in (2, 1)]
    coded = convolution_model(kernel, bias, coded=True)
    plain = convolution_model(kernel, bias, coded=False)
    results = process(runtime_process.run, coded, *feeds, **options)
    expected = process(runtime_process.run_plain, plain, *feeds, **options)
    for [y], [y_expected] in zip(results, expected, strict=True):
        np.testing.assert_array_equal(y, y_expected)


def test_decoded_int8_convolution_gives_the_bits_of_the_plain_one(process):
    rng = np.random.default_rng(0)
    kernel = np.where(rng.random((6, 3, 3, 4)) < 0.4, rng.integers(-9, 10, (6, 3, 3, 4)), 0)
    bias = rng.integers(-99, 99, 6).astype(np.int32)
    scales = 0.5, [0.1 + 0.02 * i for i in range(6)], 1.5
    feeds = [[rng.integers(-128, 128, (batch, 8, 8, 4)).astype(np.int8)] for batch in (1, 2)]
    models = [
        convolution_model(kernel.astype(np.int8), bias, coded=coded, scales=scales)
        for coded in (True, False)
    ]
    results = process(runtime_process.run, models[0], *feeds)
    expected = process(runtime_process.run_plain, models[1], *feeds)
    np.testing.assert_array_equal(results[0], expected[0])
    np.testing.assert_array_equal(results[1], expected[1])
    assert len(np.unique(results[0])) > 10


def test_decoded_weights_can_be_read(process):
    kernel = sparse_weights((6, 3, 3, 4))
    model = convolution_model(kernel, random_input(6), coded=True)
    kernel_index = 1
    values = process(runtime_process.read_after_resize, model, kernel_index, (5, 8, 8, 4))
    np.testing.assert_array_equal(values[0], kernel)
    np.testing.assert_array_equal(values[1], kernel)
