"""Trained, pruned and shared networks from the file in tutorials/data; no training is needed."""

import pathlib

import numpy as np

PATH = pathlib.Path(__file__).parents[1] / "data" / "trained.npz"
# Filters, height and width of LeNet-5's convolutions, whose kernels are kept as matrices.
_CONV_SHAPES = {"w0": (5, 5, 1, 20), "w1": (5, 5, 20, 50)}


def members(nets):
    """What the file holds of networks: their arrays, kernels as codebooks and indices.

    Args:
        nets: dict by name of dicts of arrays: kernels "w0", "w1", ... of at most 256 distinct
            values, biases "b0", "b1", ...

    Returns:
        dict of arrays by "NET/ARRAY"; a codebook is a "NET/ARRAY.codebook".
    """
    found = {}
    for net, arrays in nets.items():
        for name, values in arrays.items():
            if name.startswith("w"):
                codebook, indices = np.unique(values, return_inverse=True)
                found[f"{net}/{name}"] = indices.reshape(values.shape).astype(np.uint8)
                found[f"{net}/{name}.codebook"] = codebook.astype(np.float32)
            else:
                found[f"{net}/{name}"] = values.astype(np.float32)
    return found


def load(path=PATH):
    """The networks of the file.

    Args:
        path: of trained.npz.

    Returns:
        dict by name of dicts of float32 arrays, shaped as Keras has them: kernels "w0", "w1",
        ... and biases "b0", "b1", ...
    """
    nets = {}
    with np.load(path) as arrays:
        for name in arrays.files:
            net, _, array = name.partition("/")
            if array.endswith(".codebook"):
                continue
            values = arrays[name]
            if array.startswith("w"):
                values = arrays[f"{name}.codebook"][values]
                if net.startswith("lenet_5") and array in _CONV_SHAPES:
                    values = values.reshape(_CONV_SHAPES[array])
            nets.setdefault(net, {})[array] = values
    return nets


def kernels_as_stored(net):
    """The kernels of a network as a `.tflite` file holds them.

    Args:
        net: dict of arrays, see `load`.

    Returns:
        list of float32 arrays: dense ones `(units, inputs)`, convolutions
        `(filters, height, width, channels)`.
    """
    names = sorted(name for name in net if name.startswith("w"))
    return [np.ascontiguousarray(np.moveaxis(net[name], -1, 0)) for name in names]


def input_shape(name):
    """What an image of a network is shaped as: a vector, or with one channel for LeNet-5."""
    return (28, 28, 1) if name.startswith("lenet_5") else (784,)


def build(name, net):
    """A network as a Keras model for one image at a time, with logits of 10 digits.

    Args:
        name: str, of the network.
        net: dict of arrays, see `load`.

    Returns:
        keras.Model from `(batch, *input_shape(name))`.
    """
    import keras
    from keras import layers

    count = len(net) // 2
    is_lenet_5 = name.startswith("lenet_5")
    # One image: TFLite's Flatten of a batch of any size takes 600 bytes more.
    stack = [keras.Input(input_shape(name), batch_size=1, name="image")]
    if is_lenet_5:
        for number, filters in enumerate((20, 50), start=1):
            stack.append(layers.Conv2D(filters, 5, activation="relu", name=f"conv{number}"))
            stack.append(layers.MaxPooling2D(name=f"pool{number}"))
        stack.append(layers.Flatten(name="flatten"))
    for number in range(2 if is_lenet_5 else 0, count):
        activation = "relu" if number + 1 < count else None
        units = net[f"w{number}"].shape[1]
        stack.append(layers.Dense(units, activation=activation, name=f"fc{number + 1}"))
    model = keras.Sequential(stack, name=name)
    model.set_weights([net[f"{kind}{number}"] for number in range(count) for kind in "wb"])
    return model
