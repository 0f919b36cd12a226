# %% [markdown]
# # 4. Coming from TensorFlow Model Optimization
#
# **What you have at the end:** your TFMOT code beside the same lines of keras_dc, both run on the
# same network with the same data, and the sizes and accuracies of both.
#
# | TFMOT | keras_dc |
# |---|---|
# | `prune_low_magnitude(model, schedule)` | `dc.prune(model, schedule)` |
# | `PolynomialDecay`, `ConstantSparsity` | `dc.PolynomialDecay`, `dc.ConstantSparsity` |
# | `UpdatePruningStep()` | `dc.PruningCallback()` |
# | `PruningSummaries(log_dir)` | `dc.training.CompressionTensorBoard(log_dir)` |
# | `strip_pruning`, `strip_clustering` | `dc.strip` |
# | `cluster_weights(model, 17, preserve_sparsity=True)` | `dc.share_weights(model, 16)` |
# | `CentroidInitialization.LINEAR` | `initialization="linear"`, the default |
# | `TFLiteConverter`, then a zip | `dc.convert(model, "model.tflite")` |
#
# Schedules take the same arguments, and theirs work here, too. Zero is not counted as a cluster,
# and always kept.
#
# Their half needs `pip install ".[tfmot]"` (Python up to 3.11) and is left out where that is
# missing.

# %%
import importlib.util

import keras
from lib import mnist, pictures
from lib.baselines import float_tflite, zip_sizes
from lib.tutorial import Run

import keras_dc as dc

run = Run("04_coming_from_tfmot")
HAVE_TFMOT = importlib.util.find_spec("tensorflow_model_optimization") is not None
print("TFMOT:", "installed" if HAVE_TFMOT else "not installed, so its half is left out")

# %% [markdown]
# ## The network, trained once

# %%
data = mnist.load().flattened()
data = run.pick(data, data.first(8000, 1000))
BATCH_SIZE, EPOCHS, CLUSTERING_EPOCHS = 128, run.pick(6, 2), 1
steps = EPOCHS * -(-len(data.x_train) // BATCH_SIZE)


def network(layers):
    """LeNet-300-100, of the layers of Keras 2 or 3."""
    return [
        layers.Dense(300, activation="relu"),
        layers.Dense(100, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]


def compile_and_fit(model, epochs, learning_rate=1e-3, callbacks=()):
    """Both libraries train by `fit`."""
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.learning_rate.assign(learning_rate)
    model.fit(
        data.x_train,
        data.y_train,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        callbacks=list(callbacks),
        verbose=0,
    )


keras.utils.set_random_seed(0)
dense = keras.Sequential([keras.Input((784,)), *network(keras.layers)])
compile_and_fit(dense, epochs=EPOCHS)
original = float_tflite(dense)

# %% [markdown]
# ## Theirs
#
# TFMOT is written for Keras 2, so its models are of `tf_keras`.

# %%
if HAVE_TFMOT:
    import tensorflow as tf
    import tensorflow_model_optimization as tfmot
    import tf_keras
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster

    model = tf_keras.Sequential([tf_keras.Input((784,)), *network(tf_keras.layers)])
    model.set_weights(dense.get_weights())

    # Prune.
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0, final_sparsity=0.9, begin_step=0, end_step=steps // 2, frequency=20
    )
    model = tfmot.sparsity.keras.prune_low_magnitude(model, pruning_schedule=schedule)
    compile_and_fit(model, EPOCHS, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()])
    model = tfmot.sparsity.keras.strip_pruning(model)

    # Cluster. Zero is one of the 17.
    linear = tfmot.clustering.keras.CentroidInitialization.LINEAR
    model = cluster.cluster_weights(
        model, number_of_clusters=17, cluster_centroids_init=linear, preserve_sparsity=True
    )
    compile_and_fit(model, CLUSTERING_EPOCHS, learning_rate=1e-4)
    theirs = tfmot.clustering.keras.strip_clustering(model)

    # Convert, and zip: the zeros are still there.
    their_tflite = tf.lite.TFLiteConverter.from_keras_model(theirs).convert()

# %% [markdown]
# ## Ours
#
# The same lines. A callback that was forgotten is an error here, not a model that stays dense.

# %%
model = dense  # every function returns a new model

# Prune.
schedule = dc.PolynomialDecay(
    initial_sparsity=0.0, final_sparsity=0.9, begin_step=0, end_step=steps // 2, frequency=20
)
model = dc.prune(model, schedule)
compile_and_fit(model, EPOCHS, callbacks=[dc.PruningCallback()])

# Cluster. A pruned model need not be stripped first.
model = dc.share_weights(model, num_clusters=16)
compile_and_fit(model, CLUSTERING_EPOCHS, learning_rate=1e-4)

# Convert: compressed, and it runs as it is.
ours = dc.convert(model, run.folder / "ours.tflite", coder="arithmetic")

# %% [markdown]
# ## Theirs, with our last line
#
# A model that TFMOT trained and stripped needs no new training: `dc.convert` takes it, and
# `dc.compress` takes its `.tflite` file.

# %%
files = {"dense float32": original}
if HAVE_TFMOT:
    files["TFMOT, as converted"] = their_tflite
    files["TFMOT, compressed by ours"] = dc.convert(theirs, coder="arithmetic")
files["ours"] = ours
accuracy = {
    label: 100 * dc.evaluate(content, (data.x_test, data.y_test))
    for label, content in files.items()
}
rows = [
    {
        "file": label,
        "bytes": len(content),
        "best zip": min(zip_sizes(content).values()),
        "accuracy %": accuracy[label],
    }
    for label, content in files.items()
]
run.table("LeNet-300-100, 90 % pruned, 16 clusters", rows)

# %% [markdown]
# The zip of a file is what travels, but the device unzips it, and computes with all the zeros.
# The compressed file stays as small on the device, and computes without them.

# %%
figure = pictures.bars(
    {label: len(content) / 1024 for label, content in files.items()},
    title="Bytes on the device",
    unit="KB (logarithmic)",
    highlight=["ours", "TFMOT, compressed by ours"],
    logarithmic=True,
)
run.show(figure, "sizes")

# %% [markdown]
# ## What is left to do by hand
#
# - Argument names of theirs raise a `TypeError` that tells ours.
# - Their schedule objects can be given to `dc.prune` as they are.
# - Quantization-aware training has no counterpart here. Its `.tflite` file can be compressed:
#   [tutorial 6](06_int8_and_float16.py).

# %%
try:
    dc.prune(to_prune=dense, pruning_schedule=schedule)
except TypeError as error:
    told = str(error)
    print(told)
if HAVE_TFMOT:
    theirs_here = dc.prune(dense, tfmot.sparsity.keras.ConstantSparsity(0.5, begin_step=0))
    print(theirs_here.layers[0].schedule)

# %% [markdown]
# Both halves above follow TFMOT's way. What more there is to gain, such as pruned weights that
# may return, is in [tutorial 2](02_your_own_model.py).
