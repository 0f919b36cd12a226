"""A report with every part that one can have, of a small model."""

import dataclasses

from support.tiny_models import conv_net, mlp

import keras_dc as dc
from keras_dc.training import Sensitivity

NASTY = "<b>$x_1$ & <script>console.error('x')</script>"
SCORES = {"dense": 0.9826, "pruned": 0.9852, "compressed file": 0.9861}
CURVE = [
    {"ratio": 40.0, "score": 0.984, "label": "paper"},
    {"ratio": 140, "score": 0.9861, "label": NASTY},
    {"ratio": 220, "score": 0.985},
]
CHOICES = {
    "prune": {"sparsity": 0.975, "layers": {"fc1": 0.98}, "epochs": 30},
    "clusters": [8, 16],
    "regrowth": True,
    "seed": None,
    NASTY: NASTY,
}
SCAN = Sensitivity(
    metric="accuracy",
    higher_is_better=True,
    sparsities=(0.5, 0.9),
    baseline=0.98,
    values={"w0": (0.97, 0.5), NASTY: (0.96, float("nan"))},
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a benchmark."""

    name: str
    p50_ms: float
    p90_ms: float
    load_ms: float
    peak_memory_bytes: int
    size_bytes: int
    runtime: str = "litert"
    num_threads: int = 1
    low_memory: bool = False


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What a benchmark returns, as far as a report reads it."""

    rows: list
    cpu: str = "A processor"

    def to_dict(self):
        return {"cpu": self.cpu, "rows": [dataclasses.asdict(row) for row in self.rows]}


def small_model():
    """A model of three dense layers with names that HTML and formulas would trip over."""
    graph = mlp(sizes=(200, 60, 100, 10))
    for tensor in graph.subgraph.tensors:
        if tensor.name == b"w1":
            tensor.name = f"{NASTY}/{'a_very_long_name/' * 6}w1".encode()
    return graph.serialize()


def full_report(**others):
    """A report with all parts, of `small_model`."""
    original = small_model()
    compressed = dc.compress(original, coder="arithmetic")
    benchmark = Benchmark(
        [
            Row("float32", 0.071, 0.09, 2.1, 34 * 2**20, len(original)),
            Row("compressed", 0.011, 0.013, 1.9, 31 * 2**20, len(compressed)),
        ]
    )
    given = {
        "original": original,
        "int8": conv_net().serialize(),
        "scores": SCORES,
        "sensitivity": SCAN,
        "curve": CURVE,
        "benchmark": benchmark,
        "choices": CHOICES,
        "stages": {"pruned": original},
        "title": NASTY,
    }
    return dc.report(compressed, **{**given, **others})
