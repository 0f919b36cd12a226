import numpy as np
import pytest
from keras import Variable, ops
from support.gradients import gradient

from keras_dc.wrapping.gradients import lookup
from keras_dc.wrapping.sums_by_index import counts_by_index, sums_by_index

RNG = np.random.default_rng(0)


def problem(length, size):
    """Integers, whose sums are exact, and their indices, most of them zero."""
    index = RNG.integers(0, size, length).astype(np.int32)
    index[RNG.random(length) < 0.8] = 0
    values = RNG.integers(-9, 10, length).astype(np.float32)
    return values, index


# Blocks of one length, a shorter last one, one block, blocks that stay empty, no block.
@pytest.mark.parametrize(("length", "num_blocks"), [(64, 8), (1000, 7), (5, 1), (3, 8), (0, 1)])
def test_sums_of_blocks_are_plain_sums(length, num_blocks):
    values, index = problem(length, 5)
    tensors = ops.convert_to_tensor(values), ops.convert_to_tensor(index)
    expected = np.bincount(index, weights=values, minlength=5)
    found = ops.convert_to_numpy(sums_by_index(*tensors, 5, num_blocks=num_blocks))
    np.testing.assert_array_equal(found, expected)
    without_zero = sums_by_index(*tensors, 5, num_blocks=num_blocks, leave_out_zero=True)
    np.testing.assert_array_equal(ops.convert_to_numpy(without_zero)[1:], expected[1:])


@pytest.mark.parametrize("size", [33, 4000])
def test_blocks_that_are_chosen(size):
    values, index = problem(30_000, size)
    tensors = ops.convert_to_tensor(values), ops.convert_to_tensor(index)
    expected = np.bincount(index, weights=values, minlength=size)
    np.testing.assert_array_equal(ops.convert_to_numpy(sums_by_index(*tensors, size)), expected)
    counts = ops.convert_to_numpy(counts_by_index(tensors[1], size))
    np.testing.assert_array_equal(counts, np.bincount(index, minlength=size))


def test_half_floats_are_summed_in_float32():
    """In bfloat16 the sum would stop at 256: 257 is none of its numbers."""
    values = ops.ones((1000,), dtype="bfloat16")
    index = ops.ones((1000,), dtype="int32")
    found = sums_by_index(values, index, 2, num_blocks=2)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), [0.0, 1000.0])


def test_gradient_of_a_centroid_is_the_sum_over_its_members():
    upstream, index = problem(20_000, 33)
    fractions = upstream / np.float32(7.0)
    index, fractions = index.reshape(100, 200), fractions.reshape(100, 200)
    codebook = Variable(RNG.normal(size=32).astype(np.float32))
    indices = ops.convert_to_tensor(index)
    table = np.append(np.float32(0), ops.convert_to_numpy(codebook))
    found = lookup(codebook.value, indices)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), table[index])
    expected = np.bincount(index.ravel(), weights=fractions.ravel().astype(np.float64))[1:]

    def loss():
        return ops.sum(ops.multiply(lookup(codebook.value, indices), fractions))

    np.testing.assert_allclose(gradient(loss, codebook), expected, rtol=1e-5, atol=1e-4)
