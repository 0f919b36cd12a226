"""What `post_training` compresses: trained networks, samples without labels, and a judge."""

import functools

import keras
import numpy as np
from keras import layers
from lib import (
    crepe,
    edge_pictures,
    efficientnet_lite0,
    hed,
    lenet_5,
    mnist,
    photographs,
    spoken_digits,
    tones,
)
from lib.baselines import float_tflite, int8_tflite
from paper import kept_files, whole_files
from paper.kept_models import kept

NUM_SAMPLES, NUM_TONES, NUM_PICTURES = 256, 512, 64
NUM_TESTED = 1000
TEST_SEED, SAMPLE_SEED = 1, 0
EPOCHS = 5
RECURRENT_UNITS, RECURRENT_EPOCHS, RECURRENT_BATCH, RECURRENT_RATE = 96, 24, 64, 4e-3
HED_SIZE = 256


def files_of(model):
    """The float32 and the int8 file of a Keras model: dict."""
    return {"original": float_tflite(model), "int8": int8_tflite(model)}


def efficientnet(arguments):
    """EfficientNet-Lite0, on parts of photographs: how often the class stays the same."""
    model = efficientnet_lite0.load(arguments.efficientnet, batch_size=1)
    images, classes = photographs.of_imagenet(arguments.foolbox)
    others = photographs.of_skimage(arguments.skimage)
    samples = photographs.crops(
        others + images[::2], NUM_SAMPLES, efficientnet_lite0.SIZE, rng(SAMPLE_SEED), least=0.4
    )
    tested = photographs.crops(
        images[1::2], NUM_TESTED, efficientnet_lite0.SIZE, rng(TEST_SEED), least=0.6
    )
    files, inputs = files_of(model), efficientnet_lite0.normalized(tested)
    labels = np.resize(classes[1::2], NUM_TESTED)
    expected = whole_files.outputs(files["original"], inputs).argmax(axis=-1)

    def judge(tflite):
        found = whole_files.outputs(tflite, inputs).argmax(axis=-1)
        return {
            "as_original_percent": percent(found == expected),
            "right_percent": percent(found == labels),
        }

    told = {
        "samples": f"{NUM_SAMPLES} crops, some mirrored, of {len(others)} photographs of "
        f"scikit-image and {len(images[::2])} of ImageNet in foolbox",
        "tested": f"{NUM_TESTED} crops of the other {len(images[1::2])} of ImageNet in foolbox",
    }
    return {
        **files,
        "samples": efficientnet_lite0.normalized(samples),
        "told": told,
        "judge": judge,
    }


def lenet(arguments):
    """LeNet-5, on images of the training set without labels: accuracy on the test set."""
    data = mnist.load().with_channel()

    def trained():
        keras.utils.set_random_seed(SAMPLE_SEED)
        made = lenet_5.build()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        made.compile("adam", loss)
        made.fit(
            data.x_train, data.y_train.astype("int32"), batch_size=128, epochs=EPOCHS, verbose=2
        )
        return made, {"epochs": EPOCHS}

    model, _ = kept(kept_files.path_of("post_training", "LeNet-5", ".keras"), trained)
    files = files_of(model)

    def judge(tflite):
        found = whole_files.outputs(tflite, data.x_test).argmax(axis=-1)
        return {"error_percent": round(100 - percent(found == data.y_test), 2)}

    told = {
        "samples": f"the first {NUM_TONES} images of the training set",
        "tested": "the test set of MNIST",
    }
    return {**files, "samples": data.x_train[:NUM_TONES], "told": told, "judge": judge}


def recurrent(arguments, layer_class):
    """A recurrent layer and a Dense one, on spoken digits: accuracy on the test part."""
    del arguments  # its data is in the repository
    data = spoken_digits.load()
    train, test = data.where(data.index >= 5), data.where(data.index < 5)

    def built(batch_size):
        shape = (spoken_digits.FRAMES, spoken_digits.BANDS)
        x = keras.Input(shape, batch_size=batch_size)
        return keras.Sequential([x, layer_class(RECURRENT_UNITS), layers.Dense(10)])

    def trained():
        keras.utils.set_random_seed(SAMPLE_SEED)
        made = built(None)
        num_steps = RECURRENT_EPOCHS * len(train.y) // RECURRENT_BATCH
        rate = keras.optimizers.schedules.CosineDecay(RECURRENT_RATE, num_steps)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        made.compile(keras.optimizers.Adam(rate), loss)
        made.fit(
            train.x,
            train.y.astype("int32"),
            batch_size=RECURRENT_BATCH,
            epochs=RECURRENT_EPOCHS,
            verbose=2,
        )
        return made, {"epochs": RECURRENT_EPOCHS}

    name = f"spoken-{layer_class.__name__.lower()}"
    model, _ = kept(kept_files.path_of("post_training", name, ".keras"), trained)
    one = built(1)
    one.set_weights(model.get_weights())
    files = files_of(one)

    def judge(tflite):
        found = whole_files.outputs(tflite, test.x).argmax(axis=-1)
        return {"error_percent": round(100 - percent(found == test.y), 2)}

    order = rng(SAMPLE_SEED).permutation(len(train.y))[:NUM_SAMPLES]
    told = {
        "samples": f"{NUM_SAMPLES} recordings of the training part",
        "tested": f"{len(test.y)} recordings of the test part",
    }
    return {**files, "samples": train.x[order], "told": told, "judge": judge}


def pitches(arguments):
    """CREPE, on tones made by rule: how many pitches are within 50 cents of the true one.

    And of the one that the original hears, which misses some tones itself.
    """
    model = crepe.load(arguments.crepe, batch_size=1)
    samples = tones.draw(NUM_TONES, rng(SAMPLE_SEED)).frames
    tested, files = tones.draw(NUM_TESTED, rng(TEST_SEED)), files_of(model)

    @functools.cache
    def heard(tflite):
        return crepe.pitch_cents(whole_files.outputs(tflite, tested.frames))

    def judge(tflite):
        right = {"near_percent": tested.cents, "near_original_percent": heard(files["original"])}
        return {
            name: percent(np.abs(heard(bytes(tflite)) - pitches) <= 50)
            for name, pitches in right.items()
        }

    told = {"samples": f"{NUM_TONES} tones made by rule", "tested": f"{NUM_TESTED} other tones"}
    return {**files, "samples": samples, "told": told, "judge": judge}


def edges(arguments):
    """HED, on photographs and pictures drawn by rule: how far edges are from the original's."""
    model = hed.load(arguments.hed, size=HED_SIZE, batch_size=1)
    images, _ = photographs.of_imagenet(arguments.foolbox)
    crops = photographs.crops(images, NUM_PICTURES, HED_SIZE, rng(SAMPLE_SEED), least=0.4)
    tested = {
        "drawn": edge_pictures.drawn(6, HED_SIZE, rng(TEST_SEED)),
        "photographs": edge_pictures.photographs(arguments.skimage, HED_SIZE),
    }
    files = files_of(model)

    def found_by(tflite):
        return {
            name: whole_files.outputs(tflite, hed.normalized(pictures))
            for name, pictures in tested.items()
        }

    expected = found_by(files["original"])

    def judge(tflite):
        found = found_by(tflite)
        return {
            "difference_percent": {
                name: round(100 * float(np.mean(np.abs(found[name] - expected[name]))), 3)
                for name in expected
            }
        }

    told = {
        "samples": f"{NUM_PICTURES} crops of 20 photographs of ImageNet in foolbox",
        "tested": "6 pictures drawn by rule, 6 photographs of scikit-image",
    }
    return {**files, "samples": hed.normalized(crops), "told": told, "judge": judge}


def rng(seed):
    """A generator."""
    return np.random.default_rng(seed)


def percent(hits):
    """The share of what is true, in percent: float."""
    return round(100 * float(np.mean(hits)), 2)


MAKERS = {
    "EfficientNet-Lite0": efficientnet,
    "LeNet-5": lenet,
    "Spoken digits by LSTM": functools.partial(recurrent, layer_class=layers.LSTM),
    "Spoken digits by GRU": functools.partial(recurrent, layer_class=layers.GRU),
    "CREPE": pitches,
    "HED": edges,
}
