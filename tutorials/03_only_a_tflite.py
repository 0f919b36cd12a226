# %% [markdown]
# # 3. Only a `.tflite`
#
# **What you have at the end:** a `.tflite` file made several times smaller without its training
# data and without training, by settings that you chose because you saw how far the *outputs*
# move.
#
# The command line does the same: the first command shows what each setting makes of the file, the
# second writes one.
#
# ```sh
# keras-dc explore model.tflite --samples images.npy
# keras-dc compress model.tflite -o small.tflite --clusters 32 --report report.html
# keras-dc compress model.tflite -o smaller.tflite --samples images.npy --max-error 0.05
# ```

# %%
import keras
import numpy as np
from keras import layers
from lib import mnist, pictures
from lib.accuracy import outputs_of
from lib.baselines import float_tflite, zip_sizes
from lib.tutorial import Run

import keras_dc as dc

run = Run("03_only_a_tflite")

# %% [markdown]
# ## A file
#
# So that there is one, a small convolutional network is trained on MNIST and written by
# TensorFlow's converter. From there on we act as if we had nothing but the file.

# %%
keras.utils.set_random_seed(0)
data = mnist.load().with_channel()
data = run.pick(data, data.first(4000, 500))
model = keras.Sequential(
    [
        keras.Input((28, 28, 1), name="image"),
        layers.Conv2D(16, 5, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10),
    ]
)
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(data.x_train, data.y_train, batch_size=128, epochs=3, verbose=2)
path = run.folder / "model.tflite"
path.write_bytes(float_tflite(model))
print(f"{path}: {path.stat().st_size:,} bytes")

# %% [markdown]
# ## Without loss
#
# `dc.compress` codes the weights as they are, and `dc.expand` gives them back bit for bit.
# Weights that were neither pruned nor clustered have little to code: each is a value of its own.

# %%
lossless = dc.compress(path)
print(f"without loss: {len(lossless):,} bytes")

# %% [markdown]
# ## With loss
#
# Clusters: each weight becomes the nearest of so many values. Sparsity: so many of the smallest
# weights become zero. The report tells how far the *weights* of a tensor moved. What you care
# about are the *outputs*: errors of many layers add up in them, so a small error of weights may
# be a large one of outputs. Run both files on some inputs. These need no labels: a hundred
# samples of what the device will see. (Random numbers are no such inputs: on them a network may
# do anything.) `dc.compare_outputs` runs them.

# %%
inputs = data.x_test[: run.pick(1000, 200)]
np.save(run.folder / "images.npy", inputs)  # for `keras-dc explore --samples`
settings = {
    "as it is": {},
    "256 clusters": {"num_clusters": 256},
    "32 clusters": {"num_clusters": 32},
    "16 clusters": {"num_clusters": 16},
    "20 % pruned, 16": {"sparsity": 0.2, "num_clusters": 16},
    "40 % pruned, 16": {"sparsity": 0.4, "num_clusters": 16},
    "60 % pruned, 16": {"sparsity": 0.6, "num_clusters": 16},
}
original = path.read_bytes()
rows, files = [], {}
for label, options in settings.items():
    small, report = dc.compress(original, return_report=True, **options)
    [change] = dc.compare_outputs(original, small, inputs)
    files[label] = small
    rows.append(
        {
            "setting": label,
            "bytes": len(small),
            "ratio": len(original) / len(small),
            "best zip": min(zip_sizes(dc.expand(small)).values()),
            "weights off %": 100 * max((row.relative_error for row in report), default=0.0),
            "outputs off %": 100 * change.relative_error,
            "same class %": 100 * change.same_class,
            "accuracy %": 100 * dc.evaluate(small, (data.x_test, data.y_test)),
        }
    )
run.table(f"model.tflite, {len(original):,} bytes", rows)

# %% [markdown]
# - *best zip* is the smallest of gzip, xz and zstd of the same pruned and clustered weights,
#   without our coding.
# - *weights off* and *outputs off* are the root mean square of the difference, in per cent of
#   that of the original; *weights off* is that of the tensor where it is the most.
# - *same class* counts the inputs for which both files choose the same class. That is what you
#   can measure without labels. *accuracy* is here to show that it tells the truth.

# %%
figure = pictures.points(
    rows, x="ratio", y="outputs off %", label="setting", title="How far outputs move"
)
run.show(figure, "outputs")

# %% [markdown]
# Each dot below is one output of one input, before and after. On the line nothing moved.

# %%
shown = ["256 clusters", "16 clusters", "60 % pruned, 16"]
figure = pictures.scatters(
    outputs_of(original, inputs),
    {label: outputs_of(files[label], inputs) for label in shown},
    before="original output",
    after="output",
)
run.show(figure, "before_and_after")

# %% [markdown]
# ## Choose
#
# Take the smallest file that chooses the same class nearly always, and write it.

# %%
LEAST_SAME_CLASS = 99.0
good = [row for row in rows if row["same class %"] >= LEAST_SAME_CLASS]
chosen = min(good, key=lambda row: row["bytes"])
dc.compress(path, filepath=run.folder / "small.tflite", **settings[chosen["setting"]])
report = dc.report(run.folder / "small.tflite", original=path, title="Only a .tflite")
report.save(run.folder / "report.html")
print(
    f"Chosen: {chosen['setting']}: {chosen['ratio']:.1f} times smaller, the same class for "
    f"{chosen['same class %']:.1f} % of the inputs. See {run.folder / 'report.html'}"
)

# %% [markdown]
# ## From samples
#
# The settings above look at weights alone. With a few hundred inputs, without labels, `dc.compress`
# runs the model and gives layer after layer weights that compute what the layer did. You say how
# small the file is to be, or how far outputs may move, and it finds what each tensor bears. Here it
# gets images of the training set; those of the test set judge.

# %%
samples = data.x_train[: run.pick(256, 64)]
sampled = []
for ratio in run.pick((6, 8, 12, 16, 20), (6, 12)):
    smaller, smaller_report = dc.compress(
        original, samples=samples, ratio=ratio, return_report=True
    )
    [change] = dc.compare_outputs(original, smaller, inputs)
    sampled.append(
        {
            "asked for": f"{ratio} times",
            "bytes": len(smaller),
            "ratio": len(original) / len(smaller),
            "outputs off %": 100 * change.relative_error,
            "same class %": 100 * change.same_class,
            "accuracy %": 100 * dc.evaluate(smaller, (data.x_test, data.y_test)),
        }
    )
run.table("from samples", sampled)
(run.folder / "from_samples.tflite").write_bytes(smaller)
print(smaller_report)

# %% [markdown]
# The report of the smallest file has two errors for each tensor: how far its *weights* moved, and
# how far what the layer *computes* on the samples (*output*). The first may be large where the
# second is small: weights that stay make up for those that go.
#
# What is lost beyond that, only training repairs: see [tutorial 1](quickstart.py) and [tutorial
# 2](02_your_own_model.py), whose networks are far smaller.
