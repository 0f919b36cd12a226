import keras
from keras import ops

from keras_dc.wrapping.compiled_functions import compiled_on_jax


def test_jax_compiles_a_function_once_and_others_run_it_each_time():
    factors = []

    @compiled_on_jax("factor")
    def scaled(x, *, factor):
        factors.append(factor)
        return x * factor

    for value in (1.0, 2.0):
        assert float(scaled(ops.convert_to_tensor(value), factor=3)) == 3 * value
    assert factors == ([3] if keras.backend.backend() == "jax" else [3, 3])
    # Another value that is no tensor.
    assert float(scaled(ops.convert_to_tensor(2.0), factor=4)) == 8.0
    assert factors[-1] == 4
