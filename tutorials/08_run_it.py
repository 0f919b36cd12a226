# %% [markdown]
# # 8. Run it
#
# **What you have at the end:** a compressed file that runs in Python, in the runtime of your
# choice, and its figures: accuracy, latency, memory, time to load, each beside those of the
# uncompressed file.
#
# A device needs `pip install keras-dc` and neither TensorFlow nor Keras. This tutorial imports
# Keras only to make the files.

# %%
import keras
import numpy as np
from ai_edge_litert import interpreter as litert
from lib import mnist, pictures, trained
from lib.tutorial import Run

import keras_dc as dc

run = Run("08_run_it")
data = mnist.load().with_channel()
data = run.pick(data, data.first(1000, 500))

# %% [markdown]
# ## A file to run
#
# The LeNet-5 of the repository is trained, pruned and shared. `dc.convert` writes the compressed
# file; `dc.expand` gives the same network uncompressed, to compare with.

# %%
name = "lenet_5_r0_200x"
model = trained.build(name, trained.load()[name])
compressed, plain = run.folder / "compressed.tflite", run.folder / "plain.tflite"
dc.convert(model, compressed, coder="arithmetic")
plain.write_bytes(dc.expand(compressed))
print(f"{plain.stat().st_size:,} bytes plain, {compressed.stat().st_size:,} compressed")

# %% [markdown]
# ## One image
#
# `dc.Interpreter` makes the runtime's own interpreter, with our ops attached. It takes
# ai-edge-litert, tflite-runtime or TensorFlow, the first of these that is installed;
# `runtime="tflite_runtime"` chooses one.

# %%
image = data.x_test[:1]


def outputs_of(interpreter):
    """The logits of one image."""
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


outputs = outputs_of(dc.Interpreter(compressed))
print("digit:", np.argmax(outputs), "label:", data.y_test[0])

# %% [markdown]
# ## An interpreter of your own
#
# A program that makes its own interpreter attaches the ops as a delegate. Without them the
# runtime refuses the file, and says which op it does not know.

# %%
delegate = litert.load_delegate(dc.op_library_path())
own = litert.Interpreter(str(compressed), experimental_delegates=[delegate])
own_outputs = outputs_of(own)
assert np.array_equal(own_outputs, outputs)

try:
    outputs_of(litert.Interpreter(str(compressed)))
except (RuntimeError, ValueError) as error:
    refusal = str(error)
    print("Without the delegate:", refusal)

# %% [markdown]
# ## LiteRT's CompiledModel
#
# The API that is to replace the interpreter takes no delegates. `dc.CompiledModel` opens a
# compressed file there, with our ops; without them it fails to allocate tensors. Buffers have
# fixed shapes, so the batch, which the file leaves open, is set first.

# %%
compiled = dc.CompiledModel(compressed)
compiled.resize_input_tensor(0, image.shape)
inputs, results = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
inputs[0].write(image)
compiled.run_by_index(0, inputs, results)
compiled_outputs = results[0].read(outputs.size, np.float32)
print("digit:", np.argmax(compiled_outputs))

# %% [markdown]
# ## Threads and memory
#
# `num_threads` is the runtime's own setting. Weights are decoded once, into a form that is made
# for speed; with `low_memory=True` they stay compressed and are decoded at every call. The
# outputs agree up to the order of the sums.

# %%
variants = {
    "one thread": dc.Interpreter(compressed, num_threads=1),
    "two threads": dc.Interpreter(compressed, num_threads=2),
    "low memory": dc.Interpreter(compressed, low_memory=True),
    "plain file": dc.Interpreter(plain),
}
largest = np.abs(outputs).max()
differences = {
    label: float(np.abs(outputs_of(interpreter) - outputs).max() / largest)
    for label, interpreter in variants.items()
}
print("Largest difference of an output:", {k: f"{v:.1e}" for k, v in differences.items()})

# %% [markdown]
# ## Accuracy
#
# `dc.evaluate` runs a file over a data set: arrays, a `tf.data` pipeline or a generator of
# batches. It needs NumPy and a runtime alone, so it measures on the device what the device will
# do.

# %%
test_data = (data.x_test, data.y_test)
accuracy = {path.stem: dc.evaluate(path, test_data) for path in (plain, compressed)}
print("accuracy:", accuracy)

# %% [markdown]
# ## Speed
#
# `dc.benchmark` runs two files side by side and in turns, so that both meet the same load of the
# machine; each loads in a process of its own, which tells its memory. A LeNet-5 is so small that
# calling it costs more than computing it. The large layers of a network are where compressed
# weights save time: here are two of 4096 x 4096, as AlexNet has them, with nine weights in ten
# pruned.

# %%
width = run.pick(4096, 512)
layers = [keras.layers.Dense(width, activation="relu"), keras.layers.Dense(width)]
wide = keras.Sequential([keras.Input((width,)), *layers])
wide = dc.share_weights(dc.prune(wide, 0.91), num_clusters=32)
wide_compressed, wide_plain = run.folder / "wide.tflite", run.folder / "wide_plain.tflite"
dc.convert(wide, wide_compressed, input_signature=(1, width))
wide_plain.write_bytes(dc.expand(wide_compressed))

benchmark = dc.benchmark(wide_plain, wide_compressed, num_threads=1)
print(benchmark)

# %%
before, after = benchmark.rows
figure = pictures.bars(
    {"plain": before.p50_ms, "compressed": after.p50_ms},
    title=f"Two layers of {width} x {width}, one thread: median time of a call",
    unit="ms",
    highlight=["compressed"],
    number="{:.2f}",
)
run.show(figure, "latency")
print(f"{before.p50_ms / after.p50_ms:.1f} times as fast")
slow_but_small = dc.benchmark(wide_compressed, num_threads=1, low_memory=True)
print(slow_but_small)

# %% [markdown]
# On the command line the same is `keras-dc benchmark wide_plain.tflite wide.tflite`, and
# `keras-dc doctor` tells which runtimes it found.
#
# ## Which file for which device
#
# A *compressed* file runs as it is where our library can go along. Where it cannot, ship the plain
# file *packed*: it is unpacked once, byte for byte, and then runs anywhere. A compressed file can
# be packed, too, and is then smaller on the wire than anything else.

# %%
files = {
    "plain": plain.read_bytes(),
    "plain, packed": dc.pack(plain),
    "compressed": compressed.read_bytes(),
    "compressed, packed": dc.pack(compressed),
}
devices = {
    "plain": "anywhere, also on GPUs and NPUs",
    "plain, packed": "phones and browsers: unpack it at first start",
    "compressed": "Python, C++, Android, iOS: our library goes along",
    "compressed, packed": "the same, over a slow connection",
}
rows = [
    {"file": name, "bytes": len(content), "for": devices[name]} for name, content in files.items()
]
run.table("LeNet-5, one network in four files", rows)
assert dc.unpack(files["plain, packed"]) == files["plain"]
assert dc.unpack(files["compressed, packed"]) == files["compressed"]

# %% [markdown]
# ## Elsewhere
#
# [Put it on a device](../how_to/devices.md) goes step by step: a Raspberry Pi, C and C++, Android,
# iOS, browsers and microcontrollers; `cpp/`, `web/`, `android/` and `ios/` beside this tutorial
# have the programs. A page in a browser unpacks a `.kdc` file: LiteRT.js does not know our ops,
# and computes garbage from a compressed file without an error. [Platforms](../platforms.md) tells
# what was run where.
