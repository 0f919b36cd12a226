"""LeNet-5 as Caffe has it: 431,080 weights and biases, logits of 10 digits."""

import keras
from keras import layers


def build(*, filters=(20, 50), units=500, batch_size=None, name="lenet_5"):
    """The network, with ReLU after the convolutions too.

    Args:
        filters: two ints, of the convolutions.
        units: int, of the hidden layer.
        batch_size: int or None. With a fixed one, TFLite's Flatten takes 600 bytes less.
        name: str.

    Returns:
        `keras.Model` from images `(batch, 28, 28, 1)`.
    """
    stack = [keras.Input((28, 28, 1), batch_size=batch_size, name="image")]
    for number, count in enumerate(filters, start=1):
        stack.append(layers.Conv2D(count, 5, activation="relu", name=f"conv{number}"))
        stack.append(layers.MaxPooling2D(name=f"pool{number}"))
    stack += [
        layers.Flatten(name="flatten"),
        layers.Dense(units, activation="relu", name="fc1"),
        layers.Dense(10, name="fc2"),
    ]
    return keras.Sequential(stack, name=name)
