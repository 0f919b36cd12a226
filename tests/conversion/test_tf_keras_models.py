"""Models of Keras 2, and of TensorFlow Model Optimization after its own strip.

In a process of their own: importing TFMOT makes `tf.keras` Keras 2.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

import keras_dc

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_model_optimization") is None,
    reason="needs tensorflow-model-optimization, which brings tf_keras",
)

CODE = """
import sys
import numpy as np
import keras_dc as dc
from keras_dc.tflite import model_file
import tensorflow_model_optimization as tfmot
import tf_keras

layers = tf_keras.layers


def net():
    return tf_keras.Sequential(
        [layers.Input((40,)), layers.Dense(60, activation="relu"), layers.Dense(30)]
    )


def check(model, compressed):
    "The model's kernels are in the file, bit for bit."
    buffers = model_file.parse(dc.expand(compressed)).buffers
    constants = {buffer.data.tobytes() for buffer in buffers if buffer.data is not None}
    kernels = [weight.numpy().T.tobytes() for weight in model.weights if "kernel" in weight.name]
    assert kernels and constants.issuperset(kernels)


def refused(match, model, error=ValueError, **options):
    try:
        dc.convert(model, **options)
    except error as caught:
        assert match in str(caught), caught
    else:
        raise AssertionError(match)


tf_keras.utils.set_random_seed(0)
model = net()
check(model, dc.convert(model, optimizations=[]))
check(model, dc.convert(model, input_signature=(1, 40), verify_inputs=np.ones((1, 40))))
refused("fit the input", model, input_signature=(1, 41))

# Pruned, clustered: the strip must come first, and then the file is small.
sparsity, clustering = tfmot.sparsity.keras, tfmot.clustering.keras
pruned = sparsity.prune_low_magnitude(net(), sparsity.ConstantSparsity(0.8, 0, frequency=1))
pruned.compile("sgd", "mse")
pruned.fit(np.ones((8, 40)), np.ones((8, 30)), verbose=0, callbacks=[sparsity.UpdatePruningStep()])
refused("its own `strip_pruning`", pruned)
pruned = sparsity.strip_pruning(pruned)
small = dc.convert(pruned)
check(pruned, small)
clustered = clustering.cluster_weights(net(), 8, clustering.CentroidInitialization.LINEAR)
refused("its own `strip_clustering`", clustered)
clustered = clustering.strip_clustering(clustered)
compressed = dc.convert(clustered, sys.argv[1] + "/clustered.tflite")
check(clustered, compressed)
assert [row.blob.num_centroids for row in dc.inspect(compressed)] == [8, 8]
assert len(small) < len(dc.expand(small)) / 2
assert len(compressed) < len(dc.expand(compressed)) / 4

# Functional with named inputs, recurrent, subclassed.
a, b = layers.Input((4,), name="z"), layers.Input((6,), name="b", dtype="int32")
two = tf_keras.Model([a, b], layers.Dense(64)(a) + layers.Embedding(9, 64)(b)[:, 0])
check(two, dc.convert(two, verify_inputs=[np.ones((2, 4)), np.full((2, 6), 8)]))
recurrent = tf_keras.Sequential([layers.Input((6, 5), batch_size=1), layers.LSTM(16)])
recurrent.set_weights([np.sign(weight) for weight in recurrent.get_weights()])
# One op for the whole layer, which reads each kernel in four parts.
assert len(dc.inspect(dc.convert(recurrent))) == 8


class Branches(tf_keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(32)
        self.dropout = layers.Dropout(0.5)

    def call(self, x, training=True):
        return self.dropout(self.dense(x), training=training)


branches = Branches()
refused("call it once", branches)
branches(np.ones((2, 20), np.float32))
check(branches, dc.convert(branches))
branches.dense.kernel.assign(np.full((20, 32), np.nan))
refused("kernel:0 with 640 of 640 NaN", branches)

# Files: a SavedModel is taken; those of Keras 2 only where Keras 3 reads them.
model.save(sys.argv[1] + "/saved_model")
check(model, dc.convert(sys.argv[1] + "/saved_model"))
model.save(sys.argv[1] + "/model.h5")
check(model, dc.convert(sys.argv[1] + "/model.h5"))
branches = Branches()
branches(np.ones((2, 20), np.float32))
branches.save(sys.argv[1] + "/branches.keras")
refused("is loaded by tf_keras, and the model passed", sys.argv[1] + "/branches.keras")
"""


def test_their_models_are_converted(tmp_path):
    root = str(pathlib.Path(keras_dc.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-8000:]
    assert result.stdout == ""
