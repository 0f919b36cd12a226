import numpy as np
import pytest

from keras_dc.numerics import error_feedback


def moment(size, seed=0, count=40):
    """A second moment of inputs that depend on each other."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, size)) + 2 * rng.normal(size=(count, 1))
    return inputs.T @ inputs / count


def error(difference, hessian):
    return float(np.einsum("ri,ij,rj->", difference, hessian, difference))


def test_the_factor_is_that_of_the_inverse():
    hessian = moment(7)
    factor = error_feedback.feedback_factor(hessian)
    np.testing.assert_allclose(factor.T @ factor, np.linalg.inv(hessian), rtol=1e-8)
    np.testing.assert_array_equal(factor, np.triu(factor))
    both = error_feedback.feedback_factor(np.stack([moment(7, 1), hessian]))
    np.testing.assert_allclose(both[1], factor)


def test_damping_lets_an_input_that_is_always_zero_be():
    hessian = np.diag([2.0, 0.0, 4.0])
    damped = error_feedback.damped(hessian, 0.5)
    np.testing.assert_array_equal(np.diag(damped), [3.0, 2.0, 5.0])
    np.testing.assert_array_equal(np.diag(hessian), [2.0, 0.0, 4.0])


def test_damping_grows_where_rounding_left_a_moment_without_inverse():
    hessian = np.array([[1.0, 1.2], [1.2, 1.0]])
    used, factor = error_feedback.safe_factor(hessian, 0.01)
    np.testing.assert_allclose(used, [[2.0, 1.2], [1.2, 2.0]])
    np.testing.assert_allclose(factor.T @ factor, np.linalg.inv(used))


def test_independent_inputs_leave_rounding_to_the_nearest():
    rows = np.random.default_rng(0).normal(size=(5, 70))
    centroids = np.array([-1.5, -0.5, 0.0, 0.25, 1.0])
    done = error_feedback.assign(rows, np.eye(70), centroids, np.zeros(5))
    nearest = np.argmin(np.abs(rows[..., None] - centroids), axis=-1)
    np.testing.assert_array_equal(done.indices, nearest)
    np.testing.assert_allclose(done.moved, rows, rtol=1e-6)


def test_an_error_moves_the_next_weight_worked_out_by_hand():
    """Of two inputs that are nearly one, two weights of 0.4 become 0 and 1, not 0 and 0."""
    hessian = np.array([[1.0, 0.9], [0.9, 1.0]])
    factor = error_feedback.feedback_factor(hessian)
    done = error_feedback.assign(np.array([[0.4, 0.4]]), factor, np.array([0.0, 1.0]), np.zeros(2))
    np.testing.assert_array_equal(done.indices, [[0, 1]])
    # The second takes over 0.4 times 0.9, what one input says of the other.
    np.testing.assert_allclose(done.moved, [[0.4, 0.4 + 0.4 * 0.9]], rtol=1e-6)


def test_it_beats_rounding_to_the_nearest():
    rows, hessian = np.random.default_rng(1).normal(size=(20, 150)), moment(150, count=400)
    centroids = np.linspace(-3, 3, 7)
    done = error_feedback.assign(
        rows, error_feedback.feedback_factor(hessian), centroids, np.zeros(7)
    )
    nearest = centroids[np.argmin(np.abs(rows[..., None] - centroids), axis=-1)]
    assert error(centroids[done.indices] - rows, hessian) < 0.5 * error(nearest - rows, hessian)


def test_a_dear_centroid_is_avoided():
    rows = np.array([[0.9, 0.4, -0.9]])
    done = error_feedback.assign(rows, np.eye(3), np.array([-1.0, 0.0, 1.0]), np.array([0, 0, 1.0]))
    np.testing.assert_array_equal(done.indices, [[1, 1, 0]])


@pytest.mark.parametrize("centroids", [None, np.linspace(-3, 3, 31)])
def test_pruned_weights_are_zero_and_others_make_up_for_them(centroids):
    rng, hessian = np.random.default_rng(2), moment(90, count=400)
    rows = rng.normal(size=(6, 90))
    kept = rng.random(rows.shape) < 0.5
    costs = None if centroids is None else np.zeros(31)
    done = error_feedback.assign(
        rows, error_feedback.feedback_factor(hessian), centroids, costs, kept=kept
    )
    values = done.moved * kept if centroids is None else centroids[done.indices]
    assert not values[~kept].any()
    assert error(values - rows, hessian) < 0.5 * error(rows * ~kept, hessian)


def test_rows_with_a_moment_each_are_as_many_single_rows():
    rows = np.random.default_rng(3).normal(size=(4, 9))
    factors = error_feedback.feedback_factor(np.stack([moment(9, seed) for seed in range(4)]))
    centroids, costs = np.linspace(-2, 2, 9), np.linspace(0, 0.1, 9)
    done = error_feedback.assign_each(rows, factors, centroids, costs)
    for number in range(4):
        alone = error_feedback.assign(rows[number : number + 1], factors[number], centroids, costs)
        np.testing.assert_array_equal(done.indices[number], alone.indices[0])
