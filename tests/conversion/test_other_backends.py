"""A model of another backend is converted in the script that trained it."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

TESTS_FOLDER = pathlib.Path(__file__).parents[1]
CODE = """
import json, sys
import keras, numpy as np, keras_dc as dc
from keras import layers
from support.own_layers import Doubled, Unregistered

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(64, 20)).astype("float32")
model = keras.Sequential([keras.Input((20,), name="x"), layers.Dense(64, activation="relu"),
                          Doubled(), Unregistered(), layers.Dense(5)])
model = dc.share_weights(model, 6)
model.compile("adam", "mse")
model.fit(x, x[:, :5], verbose=0)
small = dc.convert(model, verify_inputs=x[:3])
interpreter = dc.Interpreter(model_content=small)
interpreter.resize_tensor_input(0, x.shape)
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
interpreter.invoke()
got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
quantized = dc.convert(model, optimizations=["DEFAULT"],
                       representative_dataset=lambda: ([row[None]] for row in x))
refused = []
try:
    dc.convert(model, input_signature=(1, 21))
except ValueError as error:
    refused.append(str(error))

class Local(layers.Layer):
    def call(self, x):
        return x

try:
    dc.convert(keras.Sequential([keras.Input((20,)), Local(), layers.Dense(3)]))
except ValueError as error:
    refused.append(str(error))
print(json.dumps({
    "backend": keras.backend.backend(),
    "difference": float(np.abs(got - model.predict(x, verbose=0)).max()),
    "ops": [row.op for row in dc.inspect(small)],
    "types": sorted({row.blob.dtype for row in dc.inspect(quantized)}),
    "refused": refused,
}))
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_convert_on_another_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    path = os.pathsep.join([str(TESTS_FOLDER), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": path},
        # Where the sources do not hide the installed package.
        cwd=TESTS_FOLDER,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["backend"] == backend
    assert found["difference"] < 1e-5
    assert found["ops"] == ["KerasDcDecode"] * 2
    assert found["types"] == ["int8"]
    assert "`input_signature` must fit the input 'x'" in found["refused"][0]
    assert (
        "define them in a module of their own. Received: Local of __main__" in found["refused"][1]
    )
