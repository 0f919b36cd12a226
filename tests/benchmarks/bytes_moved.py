"""Bytes of weights that an inference of AlexNet and VGG-16 reads, dense and compressed.

    python tests/benchmarks/bytes_moved.py BUILD/tests/keras_dc_weight_bytes [--save]

The networks of `whole_model.py` in float32, batch 1. Nothing is timed: each layer's weights are
prepared as the kernels read them, by the program that is named (built with
`-DKERAS_DC_BUILD_TESTS=ON`), and their bytes are counted. Every weight comes from memory once in an
inference, if the caches are smaller than the network; a convolution reads its weights again for
each tile of pixels, from a cache if they fit there. Energies are those of
`keras_dc/reporting/energy.py`, which names their source. Each instruction set of this machine has
its row, since the kernels' forms differ. `--save` writes the counts into results/bytes_moved.json
and the table into docs/performance.md.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import tempfile

import whole_model
from kernel_benchmark import Network

from keras_dc import codec
from keras_dc.reporting import energy

RESULTS = pathlib.Path(__file__).parent / "results" / "bytes_moved.json"
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "performance.md"
INSTRUCTION_SETS = ("avx512", "avx2")
BEGIN, END = "<!-- bytes -->\n", "<!-- /bytes -->"
NETWORKS = {
    "AlexNet": (whole_model.ALEXNET_SIZE, whole_model.ALEXNET, whole_model.ALEXNET_DENSE),
    "VGG-16": (whole_model.VGG_16_SIZE, whole_model.VGG_16, whole_model.VGG_16_DENSE),
}
MB = 1e6
# Of float32, as the kernels read them, and in the file.
SIZES = ("dense_bytes", "form_bytes", "blob_bytes")


class Counter(Network):
    """A network of which the bytes are counted, a layer at a time; no weights are kept."""

    def __init__(self, shape, count):
        super().__init__(shape)
        self._count = count
        self.layers = []

    def _weights(self, weights, int8):
        return self._tensor(weights.shape)

    def _add(self, weights, told, shape_before):
        activations = math.prod(shape_before) + math.prod(self.shape)
        self.layers.append(
            {
                "kind": told[0],
                "shape": list(map(int, weights.shape)),
                "dense_bytes": weights.nbytes,
                "activation_bytes": 4 * int(activations),
                **self._count(codec.encode(weights), told),
            }
        )

    def conv_2d(self, kernel, *, stride, same, activation):
        before = self.shape
        super().conv_2d(kernel, stride=stride, same=same, activation=activation)
        told = ["conv", str(before[1]), str(before[2]), str(stride), "same" if same else "valid"]
        self._add(kernel, told, before)

    def fully_connected(self, weights, *, activation=0):
        before = self.shape
        super().fully_connected(weights, activation=activation)
        self._add(weights, ["fc"], before)

    def pack(self):
        return self.layers


def counted_by(program, instruction_sets):
    """A function that counts a layer's bytes.

    Args:
        program: path of `keras_dc_weight_bytes`.
        instruction_sets: names of those to count for.

    Returns:
        function from a blob and what the program is told of its layer to a dict: "blob_bytes", and
        for each instruction set "form_bytes" and "num_readings".
    """

    def count(blob, told):
        counts = {"blob_bytes": len(blob)}
        with tempfile.NamedTemporaryFile(suffix=".blob") as file:
            file.write(blob)
            file.flush()
            for name in instruction_sets:
                printed = subprocess.run(
                    [program, told[0], file.name, *told[1:]],
                    check=True,
                    capture_output=True,
                    text=True,
                    env={**os.environ, "KERAS_DC_ISA": name},
                ).stdout
                form_bytes, num_readings = map(int, printed.split())
                counts[name] = {"form_bytes": form_bytes, "num_readings": num_readings}
        return counts

    return count


def totals(layers, instruction_set):
    """Sums over layers.

    Args:
        layers: list of dict, see `Counter`.
        instruction_set: str.

    Returns:
        dict from "fc", "conv" and "all" to dict "dense_bytes", "form_bytes", "blob_bytes"; with
        "activation_bytes" and "cached_bytes", what is read with repetitions, in "all".
    """
    sums = {}
    for kind, chosen in (
        ("fc", [layer for layer in layers if layer["kind"] == "fc"]),
        ("conv", [layer for layer in layers if layer["kind"] == "conv"]),
        ("all", layers),
    ):
        sums[kind] = {
            "dense_bytes": sum(layer["dense_bytes"] for layer in chosen),
            "form_bytes": sum(layer[instruction_set]["form_bytes"] for layer in chosen),
            "blob_bytes": sum(layer["blob_bytes"] for layer in chosen),
        }
    sums["all"]["activation_bytes"] = sum(layer["activation_bytes"] for layer in layers)
    sums["all"]["cached_bytes"] = sum(
        math.prod(layer[instruction_set].values()) for layer in layers
    )
    return sums


def table(results):
    """Lines of the table in docs/performance.md.

    Args:
        results: dict, see results/bytes_moved.json.
    """
    lines = [
        "| one inference, float32, batch 1 | dense | compressed | times fewer | as stored |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]

    def row(name, dense, compressed, stored, digits):
        lines.append(
            f"| {name} | {dense:.{digits}f} | {compressed:.{digits}f} | "
            f"{dense / compressed:.1f} | {stored:.{digits}f} |"
        )

    first, *others = INSTRUCTION_SETS
    kinds = {"fc": "fully connected", "conv": "convolutions", "all": "all weights"}
    for network, layers in results["networks"].items():
        sums = totals(layers, first)
        rows = [(f"{name}, {first.upper()}", sums[kind]) for kind, name in kinds.items()]
        rows += [(f"all weights, {name.upper()}", totals(layers, name)["all"]) for name in others]
        for name, sizes in rows:
            row(f"{network}: MB of {name}", *(sizes[key] / MB for key in SIZES), 2)
        for place in ("dram", "sram"):
            row(
                f"{network}: mJ to read all weights from {place.upper()}, {first.upper()}",
                *(energy.reading_microjoules(sums["all"][key])[place] / 1000 for key in SIZES),
                3,
            )
        megabytes = sums["all"]["activation_bytes"] / MB
        lines.append(
            f"| {network}: MB of activations | {megabytes:.2f} | {megabytes:.2f} | 1.0 | |"
        )
    return lines


def in_page(page, results):
    """The text of a page with the table put in between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the marks {BEGIN!r} and {END!r}. Received: {page[:60]!r}")
    return before + begin + "\n".join(table(results)) + "\n" + end + after


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("program", help="BUILD/tests/keras_dc_weight_bytes")
    parser.add_argument("--save", action="store_true", help="into results/ and the page")
    arguments = parser.parse_args()
    count = counted_by(arguments.program, INSTRUCTION_SETS)
    results = {
        "energy_source": energy.SOURCE,
        "networks": {
            name: whole_model.build(*network, make=lambda shape: Counter(shape, count))
            for name, network in NETWORKS.items()
        },
    }
    if arguments.save:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        PAGE.write_text(in_page(PAGE.read_text(), results))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
