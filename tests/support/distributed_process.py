"""Trains a pruned or a shared model on one device or on two; prints its losses.

Run in a process of its own, since devices are made when a backend starts: see
test_distribution.py.
"""

import argparse
import json
import os

DEVICES = 2


def devices_of(backend):
    """Make the backend believe in two CPU devices; return how to train on both."""
    os.environ["KERAS_BACKEND"] = backend
    if backend == "jax":
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={DEVICES}"
        import keras

        # Holds for the whole process, from before the model is made.
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(devices=keras.distribution.list_devices())
        )
        assert len(keras.distribution.list_devices()) == DEVICES
        return None
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == DEVICES
    return strategy.scope


def train(kind):
    """Losses of four epochs, and the weights' sum of squares after them."""
    import keras
    import numpy as np

    import keras_dc as dc

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 6)).astype(np.float32)
    y = rng.normal(size=(64, 2)).astype(np.float32)
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(10, "relu"), keras.layers.Dense(2)]
    )
    callbacks = []
    if kind == "shared":
        model = dc.share_weights(model, 4)
    else:
        schedule = dc.PolynomialDecay(0.1, 0.8, 0, 24, frequency=3)
        options = {"straight_through": True, "freeze_step": 30} if kind != "pruned" else {}
        model = dc.prune(model, schedule, **options)
        callbacks.append(dc.PruningCallback())
    model.compile(keras.optimizers.SGD(0.05), "mse")
    options = {"batch_size": 8, "epochs": 4, "shuffle": False, "verbose": 0}
    history = model.fit(x, y, callbacks=callbacks, **options).history
    squares = [float(np.sum(np.square(w, dtype=np.float64))) for w in model.get_weights()]
    return {"losses": history["loss"], "squares": squares}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("backend", choices=["tensorflow", "jax"])
    parser.add_argument("kinds", nargs="+", choices=["pruned", "straight_through", "shared"])
    parser.add_argument("--one-device", action="store_true")
    arguments = parser.parse_args()
    if arguments.one_device:
        os.environ["KERAS_BACKEND"] = arguments.backend
        scope = None
    else:
        scope = devices_of(arguments.backend)
    results = {}
    for kind in arguments.kinds:
        if scope is None:
            results[kind] = train(kind)
        else:
            with scope():
                results[kind] = train(kind)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
