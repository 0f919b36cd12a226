# %% [markdown]
# # 6. int8 and float16
#
# **What you have at the end:** one pruned and shared network in four number formats, each
# compressed and measured: bytes, accuracy, how far outputs move. And so the answer to which of
# them you need.
#
# In short: the format is a question of the *hardware*, compression one of *size*. They add up,
# but for a network that was pruned and shared, int8 brings nothing to the file: a weight of eight
# values takes three bits or fewer in any format. Take int8 where the chip computes in int8.

# %%
import lzma

from lib import mnist, pictures, trained
from lib.accuracy import outputs_of
from lib.tutorial import Run

import keras_dc as dc

run = Run("06_int8_and_float16")
data = mnist.load().with_channel()
data = run.pick(data, data.first(1000, 500))
name = "lenet_5_r0_200x"
model = trained.build(name, trained.load()[name])

# %% [markdown]
# ## Four formats
#
# `dc.convert` passes these settings on to TensorFlow's converter, compresses what comes out, and
# verifies it.
#
# - *float16*: weights in half the bytes; the runtime computes in float32.
# - *int8 weights*: the large weights in int8 with a scale for each channel; activations stay
#   float32 ("dynamic range").
# - *int8*: activations too. The converter needs some inputs, to learn their ranges: a hundred
#   images.
# - *int8, a scale per layer*: the same, with one scale for each Dense layer instead of one for
#   each of its units: some bytes less. The setting is TensorFlow's, and experimental.


# %%
def some_images():
    """What the converter measures the ranges of activations on."""
    for image in data.x_train[:100]:
        yield [image[None]]


formats = {
    "float32": {},
    "float16": {"optimizations": ["DEFAULT"], "supported_types": ["float16"]},
    "int8 weights": {"optimizations": ["DEFAULT"]},
    "int8": {"optimizations": ["DEFAULT"], "representative_dataset": some_images},
    "int8, a scale per layer": {
        "optimizations": ["DEFAULT"],
        "representative_dataset": some_images,
        "_experimental_disable_per_channel_quantization_for_dense_layers": True,
    },
}
files = {}
for label, settings in formats.items():
    path = run.folder / f"{label.replace(', ', '_').replace(' ', '_')}.tflite"
    dc.convert(model, path, coder="arithmetic", **settings)
    files[label] = path

# %% [markdown]
# ## Figures
#
# *plain* is the file without our coding, *xz* its zip, *packed* what `dc.pack` sends over the air
# ([tutorial 7](07_over_the_air.py)). *outputs off* is how far outputs are from those of float32:
# the root mean square of the difference, in per cent of that of the original.

# %%
images = data.x_test[: run.pick(1000, 200)]
rows = []
for label, path in files.items():
    plain = dc.expand(path)
    [change] = dc.compare_outputs(files["float32"], path, images)
    rows.append(
        {
            "format": label,
            "plain": len(plain),
            "xz": len(lzma.compress(plain, preset=9 | lzma.PRESET_EXTREME)),
            "compressed": path.stat().st_size,
            "packed": len(dc.pack(plain)),
            "accuracy %": 100 * dc.evaluate(path, (data.x_test, data.y_test)),
            "outputs off %": 100 * change.relative_error,
        }
    )
run.table("One network, pruned and shared; bytes", rows)

# %%
figure = pictures.bars(
    {row["format"]: row["compressed"] / 1024 for row in rows},
    title="Compressed files",
    unit="KB",
    highlight=[min(rows, key=lambda row: row["compressed"])["format"]],
)
run.show(figure, "sizes")

# %%
outputs = {label: outputs_of(path.read_bytes(), images) for label, path in files.items()}
shown = ["float16", "int8 weights", "int8"]
figure = pictures.scatters(
    outputs["float32"],
    {label: outputs[label] for label in shown},
    before="output of float32",
    after="output",
)
run.show(figure, "before_and_after")

# %% [markdown]
# Where the int8 panel is flat, outputs left the range of the images that the converter saw, and
# were cut off. More images widen it.
#
# ## What a file holds
#
# `dc.inspect` shows each coded tensor. In the int8 file the weights take about what they take in
# float32, and the rest is the graph: scales and zero points, and operators that make int8 of
# float32 and back.

# %%
for label in ("float32", "int8"):
    print(f"{label}:\n{dc.inspect(files[label])}\n")

# %% [markdown]
# ## Which one?
#
# | you have | take |
# |---|---|
# | a phone, a PC, a Raspberry Pi | float32, compressed ([tutorial 8](08_run_it.py)) |
# | a GPU delegate | float16, packed ([tutorial 7](07_over_the_air.py)) |
# | a chip that computes in int8 | int8, packed |
# | a network that you cannot train | clusters ([tutorial 3](03_only_a_tflite.py)) |
#
# Compressed float32 is computed from its codebooks. Delegates and chips know constants of their
# own alone, so their files are unpacked at installation.
