# %% [markdown]
# # 2. Your own model
#
# **What you have at the end:** a Keras model of your own, with BatchNorm and fed by `tf.data`, as
# a small `.tflite` file: once by one call, and once by hand, so that you see what the call does
# and can do it otherwise. Both come with a report.

# %%
import keras
import tensorflow as tf
from keras import layers
from lib import mnist, pictures
from lib.baselines import float_tflite, int8_tflite
from lib.tutorial import Run

import keras_dc as dc

run = Run("02_your_own_model")
keras.utils.set_random_seed(0)

# %% [markdown]
# ## A model and its data
#
# Replace these by your own. The data are three `tf.data` pipelines. The training images are
# shifted at random; the validation images decide what is pruned how far; the test images are
# looked at once, at the end.

# %%
data = mnist.load().with_channel()
data = run.pick(data, data.first(5000, 1000))
BATCH_SIZE = 128
NUM_VALIDATION = len(data.x_train) // 5
NUM_TRAIN = min(len(data.x_train) - NUM_VALIDATION, 20_000)


def shifted(image, label):
    """The image moved by up to two pixels."""
    padded = tf.pad(image, [[2, 2], [2, 2], [0, 0]])
    return tf.image.random_crop(padded, (28, 28, 1)), label


def batches(images, labels):
    """A pipeline of batches."""
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH_SIZE)


train_data = (
    tf.data.Dataset.from_tensor_slices((data.x_train[:NUM_TRAIN], data.y_train[:NUM_TRAIN]))
    .shuffle(NUM_TRAIN, seed=0)
    # One after the other: several threads would draw the shifts in another order each time.
    .map(shifted)
    .batch(BATCH_SIZE)
    .prefetch(tf.data.AUTOTUNE)
)
validation_data = batches(data.x_train[-NUM_VALIDATION:], data.y_train[-NUM_VALIDATION:])
test_data = batches(data.x_test, data.y_test)

# %%
model = keras.Sequential(
    [
        keras.Input((28, 28, 1), name="image"),
        layers.Conv2D(16, 5, use_bias=False, name="conv1"),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 5, use_bias=False, name="conv2"),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(128, use_bias=False, name="dense"),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.Dense(10, name="logits"),
    ]
)


def train(network, epochs, callbacks=()):
    """Compile a model as this task wants it, and train it."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    # The pipeline shuffles: Keras warns where `fit` is to do it, too.
    network.fit(train_data, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)


train(model, epochs=run.pick(8, 3))
original = float_tflite(model)

# %% [markdown]
# ## By one call
#
# `dc.deep_compress` looks for the smallest file that loses no more than `max_loss` of the metric
# (half a point of accuracy here) on the validation data. `max_bytes="20 KB"` or `ratio=50` ask
# for a size instead. `epochs` is all that it may train; it says first what they buy. Long runs
# take `directory=...` as well: a call that was killed goes on there.

# %%
# The short form has too few epochs to find out what a loss costs, and for one attempt only.
aim = run.pick({"max_loss": 0.005}, {"ratio": 20})
result = dc.deep_compress(
    model, train_data, validation_data, **aim, epochs=run.pick(16, 6), verbose=2
)
result.save(run.folder / "one_call.tflite")
result.report.save(run.folder / "one_call.html")
print(f"{result.ratio:.1f} times smaller; {result.metric} on validation data: {result.scores}")

# %% [markdown]
# Every choice that it made stands in `result.choices` and in the report, and can be made by you, as
# an argument.

# %%
for name in ("densities", "num_clusters", "learning_rate", "weight_decay"):
    print(f"{name}: {result.choices[name]}")

# %% [markdown]
# ## By hand: how much does each layer tolerate?
#
# `sensitivity` prunes one layer at a time, without training, and measures. `targets` reads from it
# how sparse each layer may become when each alone may lose 10 points; retraining makes up for them.

# %%
scan = dc.training.sensitivity(
    model, validation_data, metric="accuracy", higher_is_better=True, verbose=0
)
print(scan)
run.show(scan.plot().figure, "sensitivity")
targets = scan.targets(0.1)

# %% [markdown]
# ## By hand: prune, fold, share, convert
#
# 1. Weights fall to zero along a schedule while the model trains. The callback moves the masks.
# 2. BatchNorm is folded into the kernels before they get codebooks, as the converter would fold
#    it after.
# 3. Each kernel becomes one of 16 values per weight, and training moves these values.
# 4. `convert` writes the file, and verifies that it computes what the model does.

# %%
EPOCHS = run.pick(8, 3)
end_step = EPOCHS * -(-NUM_TRAIN // BATCH_SIZE) // 2
pruned = dc.prune(
    model,
    {name: dc.PolynomialDecay(0.0, target, 0, end_step) for name, target in targets.items()},
)
train(pruned, EPOCHS, callbacks=[dc.PruningCallback()])

folded = dc.training.fold_batch_norm(dc.strip(pruned))
shared = dc.share_weights(folded, num_clusters=16, rate_weight=0.005)
train(shared, epochs=run.pick(3, 1))

by_hand, conversion = dc.convert(
    shared, run.folder / "by_hand.tflite", coder="arithmetic", return_report=True
)

# %% [markdown]
# ## Both, beside what people ship
#
# All accuracies are measured on the files, in the interpreter, on the test images.

# %%
rival = int8_tflite(model)
files = {
    "dense": original,
    "dense, int8": rival,
    "by one call": result.tflite,
    "by hand": by_hand,
}
rows = [
    {
        "file": label,
        "bytes": len(content),
        "ratio": len(original) / len(content),
        "accuracy %": 100 * dc.evaluate(content, test_data),
    }
    for label, content in files.items()
]
run.table("Test images", rows)
figure = pictures.bars(
    {row["file"]: row["bytes"] / 1024 for row in rows},
    title="The same task in four files",
    unit="KB (logarithmic)",
    highlight=["by one call", "by hand"],
    logarithmic=True,
)
run.show(figure, "sizes")

# %% [markdown]
# By hand we took the first guess. The call goes on from a good file to a smaller one, as long as
# the loss and the epochs allow; its weights may return after they were pruned, and its clusters
# are chosen for short codes.
#
# The report of the file that was made by hand: what each layer takes, its weights and centroids,
# its masks. The file itself holds no names of layers; what `convert` told of it does.

# %%
report = dc.report(
    by_hand,
    original=original,
    names=conversion,
    int8=rival,
    scores={row["file"]: row["accuracy %"] / 100 for row in rows if row["file"] != "by one call"},
    sensitivity=scan,
    title="Your own model, by hand",
)
report.save(run.folder / "by_hand.html")
drawn = report.figures()
for name in ("bytes", "weights/dense, weights", "mask/dense, weights"):
    run.show(drawn[name], f"report_{name}")
