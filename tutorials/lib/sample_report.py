"""The report that the documentation shows, from the trained networks in tutorials/data.

    cd tutorials && python -m lib.sample_report report.html [--screenshot report.png]

LeNet-300-100 with 2.5 % of its weights: its file, its int8 rival, and accuracies of the networks
that were trained smaller. Nothing is trained. The screenshot needs Chromium.
"""

import argparse
import pathlib
import shutil
import subprocess

from lib import mnist, trained
from lib.accuracy import interpreter_error
from lib.baselines import float_tflite, int8_tflite

import keras_dc as dc

NETWORK = "lenet_300_100_quickstart"
SMALLER = ("lenet_300_100_r1_200x", "lenet_300_100_r1_300x")
_WINDOW = (1400, 1000)


def make(path, data):
    """Write the report.

    Args:
        path: where to, `.html` or `.json`.
        data: mnist.Mnist with flat images.

    Returns:
        CompressionReport.
    """
    nets = trained.load()
    model = trained.build(NETWORK, nets[NETWORK])
    original = float_tflite(model)
    compressed, names = dc.convert(model, coder="arithmetic", return_report=True)
    curve = [_point(compressed, len(original), data, "this file")]
    for name in SMALLER:
        smaller = dc.compress(float_tflite(trained.build(name, nets[name])), coder="arithmetic")
        curve.append(_point(smaller, len(original), data, name.removeprefix("lenet_300_100_")))
    return dc.report(
        compressed,
        names=names,
        int8=int8_tflite(model),
        scores={"compressed file": curve[0]["score"]},
        curve=curve,
        choices={"network": NETWORK, "convert": {"coder": "arithmetic"}},
        title="LeNet-300-100",
        filepath=path,
    )


def _point(compressed, original_bytes, data, label):
    error = interpreter_error(dc.Interpreter(model_content=compressed), data)
    return {"ratio": original_bytes / len(compressed), "score": 1 - error / 100, "label": label}


def take_screenshot(page, picture):
    """What a desktop's window shows of a page, as a PNG file."""
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if browser is None:
        raise FileNotFoundError("a screenshot needs Chromium, which is not installed")
    size = "{},{}".format(*_WINDOW)
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={size}",
         f"--screenshot={picture.resolve()}", page.resolve().as_uri()],
        check=True,
        capture_output=True,
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=pathlib.Path, help="where to write the report")
    parser.add_argument("--screenshot", type=pathlib.Path, help="where to write a picture of it")
    arguments = parser.parse_args()
    print(make(arguments.page, mnist.load().flattened()))
    if arguments.screenshot is not None:
        take_screenshot(arguments.page, arguments.screenshot)


if __name__ == "__main__":
    main()
