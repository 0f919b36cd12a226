"""Three compressed models, with inputs and the outputs that this machine computes.

    cd tests && python -m arm64.make_models FOLDER

writes NAME.tflite and NAME.npz for each; needs the installed package with its training half.
"""

import pathlib
import sys

import keras
import numpy as np
from keras import layers

import keras_dc as dc

ROOT = pathlib.Path(__file__).parents[2]


def lenet_300_100():
    """The trained network of the tutorials."""
    sys.path.insert(0, str(ROOT / "tutorials"))
    from lib import trained

    name = "lenet_300_100_r0_200x"
    return trained.build("lenet_300_100", trained.load()[name])


def separable_network():
    """Convolution, depthwise convolution and BatchNorm with weights as after training."""
    model = keras.Sequential([
        keras.Input((16, 16, 3), batch_size=1),
        layers.Conv2D(16, 3, strides=2, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(32, 1),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10),
    ])  # fmt: skip
    rng = np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights([rng.uniform(0.5, 1.5, shape) for _ in range(4)])
    return _pruned(model)


def recurrent_network():
    return _pruned(keras.Sequential([
        keras.Input((12, 8), batch_size=1),
        layers.LSTM(24),
        layers.Dense(5),
    ]))  # fmt: skip


def _pruned(model):
    pruned = dc.prune(model, 0.8)
    return dc.strip(dc.share_weights(dc.strip(pruned), num_clusters=32))


def outputs(content, inputs):
    """What a file computes here: a float array."""
    interpreter = dc.Interpreter(model_content=content, runtime="litert")
    detail = interpreter.get_input_details()[0]
    interpreter.allocate_tensors()
    interpreter.set_tensor(detail["index"], inputs)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(1)
    for make in (lenet_300_100, separable_network, recurrent_network):
        model, name = make(), make.__name__
        content = bytes(dc.convert(model))
        inputs = np.random.default_rng(3).uniform(0, 1, model.input_shape)
        inputs = inputs.astype(np.float32)
        (folder / f"{name}.tflite").write_bytes(content)
        dense = outputs(bytes(dc.expand(content)), inputs)
        np.savez(folder / f"{name}.npz", inputs=inputs, outputs=outputs(content, inputs),
                 dense=dense)  # fmt: skip
        print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
