"""Which int8 layers are fused since that is faster, and the form of their weights."""

import numpy as np
import pytest
from support.inspection import operators
from support.int8_models import Layer
from support.tensors import sparse
from support.tiny_models import Graph

import keras_dc as dc
from keras_dc.compression import custom_ops, int8_speed


def weights(shape, density, block=1):
    rng = np.random.default_rng(0)
    kept = rng.random((*shape[:-1], -(-shape[-1] // block))) < density
    return np.repeat(kept, block, axis=-1)[..., : shape[-1]].astype(np.int8)


def test_a_word_counts_if_one_of_its_weights_is_kept():
    values = np.zeros((2, 1, 1, 6), np.int8)
    values[0, 0, 0, :4] = 1
    values[1, 0, 0, [3, 5]] = -1
    assert int8_speed.num_words(values) == 3
    assert int8_speed.num_words(np.zeros((3, 5), np.int8)) == 0


@pytest.mark.parametrize(("shape", "density", "block", "is_faster"), [
    # What a cache does not hold is read from memory: half the bytes are half the time.
    ((1024, 2048), 0.25, 1, True), ((1024, 2048), 0.5, 1, False), ((1024, 2048), 0.45, 4, True),
    ((256, 256), 0.1, 1, True), ((256, 256), 0.25, 1, False),
])  # fmt: skip
@pytest.mark.parametrize("batch", [1, -1, 2])
def test_products_with_a_vector_are_faster_up_to_a_density(batch, shape, density, block, is_faster):
    values = weights(shape, density, block)
    assert int8_speed.is_better_fused(values, (batch, shape[0])) == is_faster


@pytest.mark.parametrize(("shape", "density", "block", "is_faster"), [
    ((64, 3, 3, 64), 0.25, 4, True), ((64, 3, 3, 64), 0.24, 1, False),
    ((64, 3, 3, 64), 0.1, 1, True), ((64, 3, 3, 64), 0.6, 4, False),
    # To bring pixels in order costs more than the few products of each take.
    ((144, 1, 1, 24), 0.25, 4, False), ((24, 1, 1, 144), 0.25, 4, False),
    ((512, 1, 1, 512), 0.4, 4, True),
    # XNNPACK computes five channels of zeros beside three of an image.
    ((96, 11, 11, 3), 0.84, 4, True), ((96, 11, 11, 8), 0.84, 4, False),
    ((64, 3, 3, 3), 0.58, 4, False),
])  # fmt: skip
def test_convolutions_are_faster_by_the_words_that_they_keep(shape, density, block, is_faster):
    values = weights(shape, density, block)
    assert int8_speed.is_better_fused(values, (1, 16, 16, shape[0])) == is_faster


def test_scales_that_leave_the_graph_are_worth_some_time():
    values, shape = weights((64, 64), 0.2), (32, 64)
    assert not int8_speed.is_better_fused(values, shape)
    assert int8_speed.is_better_fused(values, shape, num_scales=64)
    slow = weights((256, 3, 3, 256), 0.24)
    assert not int8_speed.is_better_fused(slow, (1, 56, 56, 256), num_scales=256)


def test_few_pixels_do_not_fill_a_register():
    values = weights((512, 1, 1, 512), 0.25, 4)
    assert not int8_speed.is_better_fused(values, (1, 1, 1, 512))
    assert int8_speed.is_better_fused(values, (1, 4, 4, 512))


def test_rows_of_a_batch_are_computed_as_pixels():
    values = weights((512, 512), 0.25)
    assert not int8_speed.is_better_fused(values, (3, 512))
    assert int8_speed.is_better_fused(weights((512, 512), 0.25, 4), (32, 512))


@pytest.mark.parametrize("density", [0.1, 0.6])
def test_layers_that_do_not_pay_are_decoded(density):
    layer = Layer((300, 512), density=density)
    assert (operators(dc.compress(layer.serialize())) == [custom_ops.FULLY_CONNECTED]) == (
        density == 0.1
    )


@pytest.mark.parametrize(("layer", "form"), [
    (Layer((300, 512), density=0.1), "weights"), (Layer((300, 512), density=0.1, block=4), "words"),
    (Layer((64, 3, 3, 64), density=0.1), "words"), (Layer((300, 512), density=0.6), ""),
])  # fmt: skip
def test_inspect_tells_the_form(layer, form):
    report = dc.inspect(dc.compress(layer.serialize()))
    assert [row.form for row in report.coded if len(row.shape) > 1] == [form]
    table = report.table(measured=True)
    heading, row, *_ = table.split("\n")
    assert ("form" in heading) == bool(form)
    assert row.endswith(form)


def test_weights_of_floats_have_no_form():
    graph = Graph()
    values = sparse((40, 64), density=0.2, num_centroids=7)
    constant = graph.constant(values, "weights")
    graph.output(graph.fully_connected(graph.input((1, 64)), constant, None))
    (row,) = dc.inspect(dc.compress(graph.serialize()))
    assert row.form == ""
