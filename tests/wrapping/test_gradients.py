import numpy as np
import pytest
from keras import Variable, ops
from support.gradients import gradient

from keras_dc.wrapping.gradients import masked

MASK = np.float32([1, 1, 1, 0, 0])
WEIGHTS = np.float32([3, -2, 1, 4, -0.5])
UPSTREAM = np.float32([1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    ("options", "forward", "backward"),
    [
        ({}, [3, -2, 1, 0, 0], [1, 2, 3, 0, 0]),
        ({"threshold": 2.0}, [3, -2, 0, 0, 0], [1, 2, 3, 0, 0]),
        ({"all_learn": True}, [3, -2, 1, 0, 0], [1, 2, 3, 4, 5]),
        ({"threshold": 2.5, "all_learn": True}, [3, 0, 0, 0, 0], [1, 2, 3, 4, 5]),
    ],
)
def test_what_counts_and_what_learns(options, forward, backward):
    weights = Variable(WEIGHTS)
    mask = ops.convert_to_tensor(MASK)
    result = ops.convert_to_numpy(masked(weights.value, mask, **options))
    np.testing.assert_array_equal(result, forward)

    def loss():
        return ops.sum(ops.multiply(masked(weights.value, mask, **options), UPSTREAM))

    np.testing.assert_array_equal(gradient(loss, weights), backward)
