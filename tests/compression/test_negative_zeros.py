import numpy as np
import pytest
from support.inspection import outputs
from support.tiny_models import Graph, schema, sparse

import keras_dc as dc
from keras_dc import errors
from keras_dc.compression import negative_zeros, restore_metadata
from keras_dc.tflite import diff, model_file


def bits(values):
    return values.view(f"u{values.itemsize}")


def turned_round(shape, axis, dtype=np.float32):
    """A sparse array with a negative factor folded into some of its channels."""
    signs = np.random.default_rng(1).choice([-1, 1], shape[axis]).astype(dtype)
    signs[:2] = 1, -1
    along = [1] * len(shape)
    along[axis] = -1
    return sparse(shape, dtype=dtype) * signs.reshape(along)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(
    ("shape", "axis"), [((20, 30), 0), ((20, 30), -1), ((16, 3, 3, 8), 0), ((1, 3, 3, 64), -1)]
)
def test_channels_are_found_and_restored(shape, axis, dtype):
    values = turned_round(shape, axis, dtype)
    found_axis, channels = negative_zeros.find_channels(values)
    assert (found_axis, len(channels)) == (axis, shape[axis])
    clean = negative_zeros.without(values)
    assert not (np.signbit(clean) & (clean == 0)).any()
    np.testing.assert_array_equal(clean, values)
    np.testing.assert_array_equal(
        bits(negative_zeros.restored(clean, axis, channels)), bits(values)
    )


def test_what_has_no_such_channels_is_none():
    assert negative_zeros.find_channels(sparse((20, 30))) is None
    assert negative_zeros.find_channels(np.full(9, -0.0, np.float32)) is None
    mixed = np.where(np.arange(600).reshape(20, 30) % 7 == 0, np.float32(-0.0), np.float32(0.0))
    assert negative_zeros.find_channels(mixed) is None


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(ValueError, match=r"Received: 3 bools, an array shaped \(4, 5\)"):
        negative_zeros.restored(np.zeros((4, 5)), 0, np.ones(3, bool))


def fully_connected(weights):
    graph = Graph()
    x = graph.input((1, weights.shape[1]))
    graph.output(graph.fully_connected(x, graph.constant(weights, "weights"), None))
    return graph


def test_a_model_comes_back_bit_for_bit_and_takes_little_more():
    weights = turned_round((64, 90), 0)
    original = fully_connected(weights).serialize()
    compressed = dc.compress(original)
    assert len(compressed) < len(dc.compress(original, sparsity=0.0)) + 64 / 8 + 200
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(model_file.parse(original), expanded) == []
    assert dc.compress(compressed) == compressed
    np.testing.assert_allclose(outputs(compressed), outputs(original), rtol=1e-4, atol=1e-5)


def test_mixed_zeros_of_a_mask_are_dropped():
    """As `weights * mask` leaves them: -0.0 where the weight was negative."""
    weights = sparse((64, 90))
    was_negative = np.random.default_rng(1).random(weights.shape) < 0.5
    masked = np.where((weights == 0) & was_negative, np.float32(-0.0), weights)
    compressed, clean = (dc.compress(fully_connected(w).serialize()) for w in (masked, weights))
    assert compressed == clean
    (row,) = dc.inspect(compressed)
    assert (row.op, row.num_negative_zeros) == ("KerasDcFullyConnected", 0)
    np.testing.assert_array_equal(outputs(compressed), outputs(clean))
    original = model_file.parse(fully_connected(masked).serialize())
    expanded = model_file.parse(dc.expand(compressed))
    assert len(diff.differences(original, expanded)) == 1
    assert diff.differences(original, expanded, signed_zeros=False) == []


def test_a_constant_that_is_not_coded_keeps_its_zeros():
    weights = np.where(np.random.default_rng(0).random((20, 30)) < 0.5, -0.0, 0.0)
    weights += np.eye(20, 30)
    original = fully_connected(weights.astype(np.float32)).serialize()
    kept = dc.compress(original, min_saving=0.999)
    assert not dc.inspect(kept)
    assert diff.differences(model_file.parse(original), model_file.parse(kept)) == []


def test_what_is_not_summed_keeps_its_zeros():
    """1 / -0.0 is not 1 / 0.0, and the sign of a row that is looked up may matter."""
    for name, options in [("DIV", schema.DivOptionsT()), ("GATHER", schema.GatherOptionsT())]:
        graph = Graph()
        table = graph.constant(turned_round((40, 90), 0), "table")
        if name == "DIV":
            y = graph.builtin(name, [graph.input((40, 90)), table], (40, 90), options=options)
        else:
            y = graph.builtin(name, [table, graph.input((3,), dtype=np.int32)], (3, 90),
                    options=options)  # fmt: skip
        graph.output(y)
        (row,) = dc.inspect(dc.compress(graph.serialize()))
        assert row.num_negative_zeros > 0


def test_expand_refuses_channels_that_do_not_fit():
    model = model_file.parse(dc.compress(fully_connected(turned_round((64, 90), 0)).serialize()))
    ((place, note),) = restore_metadata.take_notes(model).items()
    axis, channels = note.negative_zeros
    restore_metadata.write_notes(
        model, {place: restore_metadata.Note(negative_zeros=(axis, channels[:-1]))}
    )
    with pytest.raises(errors.CompressionError, match="Received: there must be one bool"):
        dc.expand(model_file.serialize(model))
