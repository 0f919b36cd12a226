"""The delegate: shared, outlived, in threads, and its options."""

import numpy as np
import pytest
from support import runtime_process
from support.op_models import (
    coded_dense_model,
    convolution_model,
    convolution_options,
    fused_convolution_model,
    random_input,
    sparse_weights,
)

from keras_dc.codec import library


def mixed_models():
    """Two models of equal structure and different weights."""
    return [
        convolution_model(sparse_weights((6, 3, 3, 4), seed=seed), random_input(6), coded=coded)
        for coded in (True, False)
        for seed in (1, 2)
    ]


def test_two_interpreters_share_a_delegate(process):
    coded, plain = mixed_models()[:2], mixed_models()[2:]
    feeds = [[random_input((batch, 8, 8, 4), seed=batch)] for batch in (1, 2, 1)]
    results = process(runtime_process.run_interleaved, coded, feeds)
    for model, outputs in zip(plain, results, strict=True):
        expected = process(runtime_process.run_plain, model, *feeds)
        for [y], [y_expected] in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(y, y_expected)


def test_a_delegate_outlives_interpreters(process):
    coded, plain = mixed_models()[:2], mixed_models()[2:]
    x = random_input((1, 8, 8, 4))
    results = process(runtime_process.run_in_sequence, coded * 3, [x])
    expected = [process(runtime_process.run_plain, model, [x])[0] for model in plain]
    np.testing.assert_array_equal(results, expected * 3)


def test_interpreters_in_two_threads(process):
    weights = sparse_weights((64, 100))
    feeds = [[random_input((batch, 100), seed=batch)] for batch in (1, 8)]
    results = process(runtime_process.run_in_threads, coded_dense_model(weights), feeds, 5)
    for [x], [y] in zip(feeds, results, strict=True):
        np.testing.assert_allclose(y, x @ weights.T, rtol=1e-4, atol=1e-5)


def test_low_memory_gives_what_decoding_once_gives(process):
    weights = sparse_weights((64, 100))
    dense = coded_dense_model(weights, random_input(64), options=b"\1")
    convolutions = {}
    # The large kernel takes more than one block.
    for filters, channels, activation in ((6, 5, "TANH"), (512, 64, "RELU")):
        convolutions[channels] = fused_convolution_model(
            sparse_weights((filters, 3, 3, channels), density=0.3),
            random_input(filters),
            coded=True,
            input_shape=[1, 8, 8, channels],
            options=convolution_options(activation=activation),
        )
    models = [(dense, (100,)), *((m, (8, 8, c)) for c, m in convolutions.items())]
    for model, shape in models:
        feeds = [[random_input((batch, *shape), seed=batch)] for batch in (1, 5, 2)]
        feeds[1][0].flat[7] = np.inf
        options = {"low_memory": "true"}
        results = process(runtime_process.run_with_options, options, model, *feeds)
        expected = process(runtime_process.run, model, *feeds)
        for [y], [y_expected] in zip(results, expected, strict=True):
            np.testing.assert_allclose(y, y_expected, rtol=1e-4, atol=1e-5)


@pytest.fixture
def process_with_isa(monkeypatch):
    """What starts a process with KERAS_DC_ISA set: a process chooses its kernels once."""
    started = []

    def start(isa):
        monkeypatch.setenv("KERAS_DC_ISA", isa)
        started.append(runtime_process.RuntimeProcess("litert", library.op_library_path()))
        return started[-1]

    yield start
    for process in started:
        process.close()


def test_the_instruction_set_can_be_chosen(process_with_isa):
    weights = sparse_weights((64, 100))
    model = coded_dense_model(weights)
    feeds = [[random_input((batch, 100), seed=batch)] for batch in (1, 5)]
    results = process_with_isa("portable")(runtime_process.run, model, *feeds)
    for [x], [y] in zip(feeds, results, strict=True):
        np.testing.assert_allclose(y, x @ weights.T, rtol=1e-4, atol=1e-5)
    with pytest.raises(RuntimeError, match="cannot run KERAS_DC_ISA=mmx"):
        process_with_isa("mmx")(runtime_process.run, model, *feeds)


def test_unknown_delegate_option_is_refused(process):
    message = process(runtime_process.option_error, {"fast": "1"})
    assert "unknown option 'fast'" in message
