import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dc.recipe.data import Arrays, Batches, data_of, with_validation

X = np.arange(10.0).reshape(10, 1)
Y = np.arange(10)


class OwnBatches(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[2 * index : 2 * index + 2], Y[2 * index : 2 * index + 2]


def numbers(batches):
    return [int(value) for batch in batches for value in np.asarray(batch[0]).ravel()]


def test_arrays_have_batches_and_samples():
    data = data_of("train_data", (X, Y), 4)
    assert (data.num_samples, data.steps()) == (10, 3)
    assert numbers(data.batches()) == list(range(10))
    assert [len(y) for _, y, _ in data.batches()] == [4, 4, 2]
    x, y = data.some(3)
    assert x.ravel().tolist() == [0, 4, 9]
    assert y.tolist() == [0, 4, 9]
    assert len(data.some(99)[0]) == 10


def test_nested_arrays_stay_nested():
    data = data_of("train_data", ({"a": X, "b": [X, X]}, Y, np.ones(10)), 10)
    ((x, _, weights),) = data.batches()
    assert x.keys() == {"a", "b"}
    assert weights.sum() == 10


@pytest.mark.parametrize("dataset", [tf.data.Dataset.from_tensor_slices((X, Y)).batch(2), None])
def test_datasets_have_batches_and_samples(dataset):
    data = data_of("train_data", OwnBatches() if dataset is None else dataset, None)
    assert isinstance(data, Batches)
    assert data.steps() == 5
    assert numbers(data.batches()) == list(range(10))
    assert len(data.some(3)[0]) == 4


def test_batches_of_unknown_number_are_counted():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).filter(lambda x, y: y > 2).batch(2)
    assert int(data.cardinality()) == tf.data.UNKNOWN_CARDINALITY
    assert Batches(data).steps() == 4


def test_an_epoch_of_an_endless_dataset_begins_where_the_last_one_ended():
    data = Batches(tf.data.Dataset.from_tensor_slices((X, Y)).batch(1).repeat())
    with pytest.raises(ValueError, match="without an end needs `steps_per_epoch`"):
        data.steps()
    assert data.steps(4) == 4
    epochs = data.epochs(0, 4)
    assert [numbers(next(epochs)["x"]) for _ in range(3)] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 0, 1],
    ]
    # So it is when a run goes on at its third epoch.
    assert numbers(next(data.epochs(2, 4))["x"]) == [8, 9, 0, 1]


def test_fingerprints_tell_arrays_apart():
    texts = {
        Arrays(x, y, w, 4).fingerprint()
        for x, y, w in [(X, Y, None), (X + 1, Y, None), (X, Y[::-1], None), (X, Y, X)]
    }
    assert len(texts) == 4
    assert Arrays(X, Y, None, 4).fingerprint() == Arrays(X.copy(), Y, None, 8).fingerprint()


def test_without_validation_the_last_tenth_is_held_out():
    with pytest.warns(UserWarning, match="last 1 training samples are held out"):
        train, validation = with_validation(data_of("train_data", (X, Y), 2), None, 2)
    assert train.y.tolist() == list(range(9))
    assert validation.y.tolist() == [9]


def test_a_dataset_is_not_split():
    with pytest.raises(ValueError, match="`validation_data` is missing"):
        with_validation(Batches(OwnBatches()), None, None)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ((X,), ValueError, r"must be \(x, y\)"),
        ((X, Y, Y, Y), ValueError, "4 values"),
        ((X, Y[:9]), ValueError, "same number of samples"),
        ((X[:0], Y[:0]), ValueError, "one at least"),
        (iter([X]), TypeError, "read many times"),
        (7, TypeError, "Received: int"),
    ],
)
def test_other_data_is_refused(data, error, message):
    with pytest.raises(error, match=message):
        data_of("train_data", data, None)


def test_a_dataset_has_its_own_batches():
    with pytest.raises(ValueError, match="`batch_size` is for arrays"):
        data_of("train_data", OwnBatches(), 32)
