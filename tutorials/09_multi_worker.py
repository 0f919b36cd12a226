"""Pruning and weight sharing by several processes, each with a part of every batch.

    python tutorials/09_multi_worker.py [--workers 2]

The loop is our own: in Keras 3.15, `model.fit` under `MultiWorkerMirroredStrategy` fails
for plain Keras models as well, without keras_dc. It shows the two lines that a loop of
one's own needs: `callback.set_model(model)` before it, and
`callback.on_train_batch_begin(step)` before each step. Every worker moves the masks
itself, from equal weights at equal steps, so that they stay equal without a message.

The workers are processes of this machine, which talk over 127.0.0.1. On several
machines, start one each with `TF_CONFIG` set to the addresses of all.
"""

import argparse
import json
import os
import socket
import subprocess
import sys

BATCH_SIZE = 16
EPOCHS = 4
SPARSITY = 0.8


def make_data(batches=16):
    """Images of 8 x 8 noise, labelled by the brightest of their four quarters."""
    import numpy as np

    rng = np.random.default_rng(0)
    images = rng.random((batches * BATCH_SIZE, 8, 8), dtype=np.float32)
    quarters = images.reshape(-1, 2, 4, 2, 4).mean(axis=(2, 4)).reshape(-1, 4)
    return images.reshape(-1, 64), quarters.argmax(axis=1)


def build():
    """A small network of two dense layers."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(4)]
    return keras.Sequential([keras.Input((64,)), *layers])


def train(strategy, model, data, callbacks, learning_rate):
    """Train on this worker's part of the data; the mean loss of each epoch.

    Args:
        strategy: `tf.distribute.Strategy`, in whose scope the model was made.
        model: a `keras.Model` with optimizer.
        data: images and labels of all workers.
        callbacks: list of keras_dc's callbacks that drive the model.
        learning_rate: float.

    Returns:
        list of floats, over all workers.
    """
    import keras
    import tensorflow as tf

    with strategy.scope():
        model.compile(keras.optimizers.SGD(learning_rate, momentum=0.9))
        model.optimizer.build(model.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    batches = tf.data.Dataset.from_tensor_slices(data).batch(BATCH_SIZE)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    batches = batches.with_options(options)

    def part_of(context):
        # Every worker reads the same batches and takes its own rows of each.
        workers, worker = context.num_input_pipelines, context.input_pipeline_id
        return batches.map(lambda x, y: (x[worker::workers], y[worker::workers]))

    parts = strategy.distribute_datasets_from_function(part_of)

    def replica_step(x, y):
        with tf.GradientTape() as tape:
            # Gradients of all workers are added up.
            loss = loss_of(y, model(x, training=True)) / BATCH_SIZE
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    @tf.function
    def train_step(x, y):
        losses = strategy.run(replica_step, args=(x, y))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    for callback in callbacks:
        callback.set_model(model)
    means = []
    for _ in range(EPOCHS):
        losses = []
        for step, (x, y) in enumerate(parts):
            for callback in callbacks:
                callback.on_train_batch_begin(step)
            losses.append(float(train_step(x, y)))
        means.append(sum(losses) / len(losses))
    return means


def work():
    """What each worker does: prune, share, and print the figures as one JSON object."""
    import keras
    import tensorflow as tf

    import keras_dc as dc

    # Before any tensor: it starts this worker's server.
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    data = make_data()
    steps = EPOCHS * len(data[0]) // BATCH_SIZE
    with strategy.scope():
        schedule = dc.PolynomialDecay(0.0, SPARSITY, 0, steps // 2, frequency=4)
        pruned = dc.prune(build(), schedule)
    pruned_losses = train(strategy, pruned, data, [dc.PruningCallback()], 0.1)
    kernels = [keras.ops.convert_to_numpy(layer.masks[0]) for layer in pruned.layers]
    zeros = sum(int((mask == 0).sum()) for mask in kernels)
    with strategy.scope():
        shared = dc.share_weights(pruned, 16)
    shared_losses = train(strategy, shared, data, [], 0.01)
    figures = {
        "pruned_losses": pruned_losses,
        "shared_losses": shared_losses,
        "sparsity": zeros / sum(mask.size for mask in kernels),
    }
    print(json.dumps(figures))


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    if "TF_CONFIG" in os.environ:
        work()
        return
    addresses = [f"127.0.0.1:{port}" for port in free_ports(parser.parse_args().workers)]
    processes = []
    for index in range(len(addresses)):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = {
            **os.environ,
            "KERAS_BACKEND": "tensorflow",
            "TF_CONFIG": json.dumps(config),
        }
        # The first one, the chief, prints for all.
        output = None if index == 0 else subprocess.DEVNULL
        process = subprocess.Popen([sys.executable, __file__], env=environment, stdout=output)
        processes.append(process)
    sys.exit(max(abs(process.wait()) for process in processes))


if __name__ == "__main__":
    main()
