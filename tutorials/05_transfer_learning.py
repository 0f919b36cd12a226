# %% [markdown]
# # 5. Transfer learning
#
# **What you have at the end:** a network that learned one task from plenty of images, moved to
# another task with a few hundred, and pruned and shared on the way: first its new head alone,
# with the base frozen, then all of it.
#
# The first task is to tell the digits 0 to 4 apart, the second 5 to 9. In your own work the base
# would be a network of `keras.applications` with the weights of ImageNet; the steps are the same.

# %%
import keras
import numpy as np
from keras import layers
from lib import mnist, pictures
from lib.baselines import float_tflite
from lib.tutorial import Run

import keras_dc as dc

run = Run("05_transfer_learning")
keras.utils.set_random_seed(0)
data = mnist.load().with_channel()
NEW_IMAGES = 1000


def digits(images, labels, first, count=None):
    """So many images of five digits from `first` on, and their labels from 0 to 4."""
    chosen = np.flatnonzero((labels >= first) & (labels < first + 5))[:count]
    return images[chosen], labels[chosen] - first


old_task = digits(data.x_train, data.y_train, first=0, count=run.pick(None, 4000))
new_task = digits(data.x_train, data.y_train, first=5, count=NEW_IMAGES)
test_data = digits(data.x_test, data.y_test, first=5, count=run.pick(None, 500))

# %%
figure = pictures.digits(
    np.concatenate([old_task[0][:5], new_task[0][:5]])[..., 0],
    ["old task"] * 5 + ["new task"] * 5,
)
run.show(figure, "tasks")

# %% [markdown]
# ## The base learns the first task

# %%
base = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Conv2D(16, 5, use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(128, activation="relu", name="features"),
    ],
    name="base",
)


def trained(model, task, epochs, learning_rate=1e-3, callbacks=()):
    """The same model, compiled and trained."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"])
    model.fit(*task, batch_size=64, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


trained(keras.Sequential([base, layers.Dense(5)]), old_task, epochs=run.pick(3, 2))

# %% [markdown]
# ## A new head on the frozen base
#
# `base.trainable = False` freezes it, and `training=False` keeps its BatchNorm at the statistics
# that it has. `dc.prune` leaves frozen layers alone: they do not train, so they could not
# recover. Here it prunes the head. (`filters="."` would take frozen layers as well.)

# %%
base.trainable = False
image = keras.Input((28, 28, 1), name="image")
dense = keras.Model(image, layers.Dense(5, name="head")(base(image, training=False)))
trained(dense, new_task, epochs=run.pick(10, 5))
frozen_base = float_tflite(dense)

EPOCHS = run.pick(24, 8)
steps_per_epoch = -(-NEW_IMAGES // 64)


def schedule(sparsity):
    """Sparsity that rises over the first half of the training."""
    return dc.PolynomialDecay(0.0, sparsity, 0, EPOCHS * steps_per_epoch // 2, frequency=10)


head_only = dc.prune(dense, schedule(0.8))
trained(head_only, new_task, EPOCHS, callbacks=[dc.PruningCallback()])
head_only = dc.share_weights(head_only, num_clusters=16)

# %% [markdown]
# ## Fine-tuning all of it
#
# Nearly all bytes are in the base. So let it train, with a small learning rate, while it is pruned;
# the masks reach into the nested model. A dense copy is trained in the same way, to compare with.
# Then BatchNorm is folded into the kernels and the weights are shared; a last short training moves
# the centroids.

# %%
base.trainable = True
fine_tuned = keras.models.clone_model(dense)
fine_tuned.set_weights(dense.get_weights())
trained(fine_tuned, new_task, EPOCHS, learning_rate=5e-4)

everything = dc.prune(dense, schedule(0.9), global_threshold=True)
trained(everything, new_task, EPOCHS, learning_rate=5e-4, callbacks=[dc.PruningCallback()])

folded = dc.training.fold_batch_norm(dc.strip(everything))
everything = dc.share_weights(folded, num_clusters=16, rate_weight=0.005)
trained(everything, new_task, epochs=run.pick(5, 2))

# %% [markdown]
# ## Figures

# %%
original = float_tflite(fine_tuned)
files = {"frozen base": frozen_base, "fine-tuned": original}
compressed = {"frozen, head pruned": head_only, "fine-tuned, all pruned": everything}
for label, model in compressed.items():
    path = run.folder / f"{label.replace(', ', '_').replace(' ', '_')}.tflite"
    files[label] = dc.convert(model, path, coder="arithmetic")
rows = [
    {
        "file": label,
        "bytes": len(content),
        "ratio": len(original) / len(content),
        "accuracy %": 100 * dc.evaluate(content, test_data),
    }
    for label, content in files.items()
]
run.table(f"Digits 5 to 9, from {NEW_IMAGES:,} images", rows)

figure = pictures.bars(
    {row["file"]: row["bytes"] / 1024 for row in rows},
    title="The base is where the bytes are",
    unit="KB",
    highlight=list(compressed),
)
run.show(figure, "sizes")

# %% [markdown]
# The report shows where the bytes of the last file went, layer by layer.

# %%
report = dc.report(
    files["fine-tuned, all pruned"],
    original=original,
    scores={row["file"]: row["accuracy %"] / 100 for row in rows},
    title="Transfer learning",
)
report.save(run.folder / "report.html")
print(f"Report: {run.folder / 'report.html'}")
