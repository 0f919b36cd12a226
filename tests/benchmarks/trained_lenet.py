"""LeNet-300-100 and LeNet-5, trained and compressed, against XNNPACK's dense float32.

    PYTHONPATH=tutorials python tests/benchmarks/trained_lenet.py [--epochs N] [--images N]

Trained on MNIST by the quickstart's recipe, on fewer images and for fewer epochs: masks and
codebooks are what training makes of them, not random. These networks are so small that the
cost of the call counts. Figures are those of one thread: how many times faster than dense
float32.
"""

import argparse
import dataclasses

import kernel_benchmark
from kernel_benchmark import Case

import keras_dc

LABELS = {"lenet_300_100": "LeNet-300-100", "lenet_5": "LeNet-5"}
# Invokes per timing: one alone is too short for the clock.
INVOKES = 200


def lenet_5():
    """Caffe's LeNet-5, the paper's: 431,080 weights and biases, logits of 10 digits."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Conv2D(20, 5, name="conv1"),
            layers.MaxPooling2D(),
            layers.Conv2D(50, 5, name="conv2"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(500, activation="relu", name="fc1"),
            layers.Dense(10, name="fc2"),
        ],
        name="lenet_5",
    )


def trained(name, epochs, num_images=None):
    """The plain `.tflite` of a network that was trained, pruned and shared.

    Args:
        name: "lenet_300_100" or "lenet_5".
        epochs: int, of the pruning; the steps before and after it take a quarter.
        num_images: int, how many training images are used; None for all.

    Returns:
        bytes.
    """
    import keras
    from lib import lenet_300_100, mnist
    from lib.baselines import float_tflite

    keras.utils.set_random_seed(0)
    data = mnist.load()
    data = dataclasses.replace(
        data, x_train=data.x_train[:num_images], y_train=data.y_train[:num_images]
    )
    if name == "lenet_300_100":
        model, density, data = lenet_300_100.build(), 0.025, data.flattened()
    else:
        model, density = lenet_5(), 0.05
        data = dataclasses.replace(data, x_train=data.x_train[..., None])
    short = max(epochs // 4, 1)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(data.x_train, data.y_train, batch_size=128, epochs=short, verbose=0)
    model = lenet_300_100.prune_and_train(model, data, density=density, epochs=epochs)
    model = lenet_300_100.share_and_train(model, data, epochs=short)
    return float_tflite(keras_dc.strip(model))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--images", type=int, default=12000, help="how many are trained on")
    parser.add_argument("--repeats", type=int, default=51)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", choices=LABELS, default=LABELS)
    args = parser.parse_args()
    cases = [
        Case(key, LABELS[key], trained(key, args.epochs, args.images), invokes=INVOKES)
        for key in args.only
    ]
    kernel_benchmark.run("Trained", cases, repeats=args.repeats, threads=args.threads)


if __name__ == "__main__":
    main()
