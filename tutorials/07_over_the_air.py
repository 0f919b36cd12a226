# %% [markdown]
# # 7. Over the air: pack and patch
#
# **What you have at the end:** a network of over a megabyte that travels in a few kilobytes, and an
# update of it that travels in a few hundred bytes. A wrong base is refused. Nothing but `dc.unpack`
# is needed where it arrives, and the file that comes out runs in any TFLite runtime.
#
# The story: digits are read by a camera in the field. A year later the camera sees badly: little
# contrast, much noise. The network learns the new images by moving its *centroids* alone, and
# only these are sent.

# %%
import lzma

import keras
import numpy as np
from lib import mnist, pictures, trained
from lib.tutorial import Run

import keras_dc as dc

run = Run("07_over_the_air")
keras.utils.set_random_seed(0)
data = mnist.load().with_channel()
data = run.pick(data, data.first(4000, 1000))

# %% [markdown]
# ## Version 1
#
# A LeNet-5 that was pruned and whose weights were shared stands in the repository. Its kernels
# hold a few values each, most of them zero. `dc.convert` makes the compressed file, and
# `dc.expand` the ordinary `.tflite`: the form to send, since `dc.pack` makes it smaller still,
# and any runtime takes it.

# %%
net = trained.load()["lenet_5_r0_200x"]
one_image = (1, 28, 28, 1)
# The same layers for batches of any size, to train them.
model = keras.Sequential(
    [keras.Input(one_image[1:], name="image"), *trained.build("lenet_5_r0_200x", net).layers]
)
compressed_v1 = dc.convert(model, input_signature=one_image)
v1 = dc.expand(compressed_v1)
(run.folder / "v1.tflite").write_bytes(v1)

packed_v1 = dc.pack(run.folder / "v1.tflite")
assert dc.unpack(packed_v1) == v1  # byte for byte
print(f"v1: {len(v1):,} bytes, packed {len(packed_v1):,}")

# %% [markdown]
# ## The camera ages


# %%
def seen_by_the_old_camera(images, seed):
    """The images with two fifths of the contrast, and noise."""
    noise = np.random.default_rng(seed).normal(0, 0.12, images.shape)
    return np.clip(0.4 * images + 0.25 + noise, 0, 1).astype(np.float32)


images, labels = data.x_test, data.y_test
blurred = seen_by_the_old_camera(images, seed=1)
accuracy = {"v1, as new": dc.evaluate(v1, (images, labels))}
accuracy["v1, old camera"] = dc.evaluate(v1, (blurred, labels))

figure = pictures.digits(
    np.concatenate([images[:4], blurred[:4]])[..., 0], ["as new"] * 4 + ["old camera"] * 4
)
run.show(figure, "camera")

# %% [markdown]
# ## Version 2: the centroids learn
#
# The model comes back out of its codebooks: `dc.share_weights` finds the same few values, and
# `fit` moves them. Which weight belongs to which centroid stays as it is, so the update is small.
# `float16_exact` rounds the centroids to float16, which halves them.

# %%
shared = dc.share_weights(model, num_clusters=32)
shared.compile(
    keras.optimizers.Adam(3e-3),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
shared.fit(
    seen_by_the_old_camera(data.x_train, seed=2)[:20_000],
    data.y_train[:20_000],
    batch_size=128,
    epochs=run.pick(3, 2),
    verbose=2,
)
v2 = dc.expand(dc.convert(dc.strip(shared, float16_exact=True), input_signature=one_image))
accuracy["v2, old camera"] = dc.evaluate(v2, (blurred, labels))

patch = dc.pack(v2, base=v1)
(run.folder / "v1_to_v2.kdc").write_bytes(patch)

# %% [markdown]
# ## On the device
#
# It has version 1, gets the patch, and makes version 2. (In C the same is `kdc_unpack`, which
# needs neither Python nor a runtime.) With another base, such as a file that was updated already,
# `unpack` raises an error and writes nothing.

# %%
assert dc.unpack(run.folder / "v1_to_v2.kdc", base=run.folder / "v1.tflite") == v2
try:
    dc.unpack(patch, base=v2)
except dc.errors.CodecError as error:
    refusal = str(error)
    print("Refused:", refusal)

# %% [markdown]
# ## What it takes
#
# xz is what one would send otherwise. The *compressed* file is the one that runs as it is, with
# our ops; packing the ordinary file gives fewer bytes for the wire, and patches are made between
# ordinary files: in a compressed one a moved centroid moves the bytes behind it.

# %%
sizes = {
    "v2 as it is": len(v2),
    "v2, xz": len(lzma.compress(v2, preset=9 | lzma.PRESET_EXTREME)),
    "v2, compressed": len(dc.compress(v2, coder="arithmetic")),
    "v2, packed": len(dc.pack(v2)),
    "v1 to v2, patch": len(patch),
}
run.table("Bytes over the air", [{"what": name, "bytes": size} for name, size in sizes.items()])
run.table(
    "Test accuracy",
    [{"file, images": name, "%": 100 * value} for name, value in accuracy.items()],
)
figure = pictures.bars(
    sizes,
    title="One update, sent in five ways",
    unit="bytes (logarithmic)",
    highlight=["v1 to v2, patch"],
    logarithmic=True,
    number="{:,}",
)
run.show(figure, "sizes")
print(
    f"The patch is {len(v2) / len(patch):,.0f} times smaller than the file "
    f"and {sizes['v2, xz'] / len(patch):.0f} times smaller than its xz."
)
