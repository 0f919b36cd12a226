"""Each benchmark at tiny size: what it times, that outputs agree, and its figures.

Functions are run and their results compared; the seconds are then made up, so that the
figures are known beforehand.
"""

import importlib
import json

import keras
import numpy as np
import pytest

import keras_dc as dc

pytest.importorskip("ai_edge_litert")

# Made up: seconds on one thread.
SECONDS = {"ours": 1.0, "low_memory": 2.0, "dense": 3.0, "int8": 4.0, "plain": 5.0}
TINY_FC = [("fc6_4", 40, 70, 0.2, 1), ("fc6_4_b32", 40, 70, 0.2, 8)]
TINY_CONV = [("conv3x3_35", 6, 8, 3, 0.3)]


@pytest.fixture
def timed(monkeypatch):
    """List of what is timed: names of interpreters, shapes of input and output, options."""
    kernel_benchmark = importlib.import_module("kernel_benchmark")
    measure = kernel_benchmark.seconds_in_turn
    calls = []

    def seconds_in_turn(interpreters, repeats, **options):
        measured = measure(interpreters, repeats, **options)
        assert all(seconds > 0 for seconds in measured.values())
        outputs = {key: kernel_benchmark.output_of(made) for key, made in interpreters.items()}
        rival = next(key for key in outputs if "dense" in key or "plain" in key)
        for key, output in outputs.items():
            # int8 weights round; all else differs in the order of sums.
            tolerance = 0.05 if key == "int8" else 1e-4
            largest = np.abs(outputs[rival]).max()
            assert np.abs(output - outputs[rival].astype(float)).max() < tolerance * largest
        shapes = {
            (*made.get_input_details()[0]["shape"], "->", *made.get_output_details()[0]["shape"])
            for made in interpreters.values()
        }
        (shape,) = shapes
        calls.append((list(interpreters), shape, options))
        keys = {key: key if isinstance(key, tuple) else (key, 1) for key in interpreters}
        return {key: SECONDS[who] / threads for key, (who, threads) in keys.items()}

    monkeypatch.setattr(kernel_benchmark, "seconds_in_turn", seconds_in_turn)
    return calls


@pytest.fixture
def probed(monkeypatch):
    """List of the (script, who) whose loading is measured; figures are made up."""
    calls = []

    def spy_on(script, seconds_first):
        module = importlib.import_module(script)
        probe = module.probe

        def checked_probe(who, path, *others):
            found = probe(who, path, *others)
            seconds = found[0] if seconds_first else found[1]
            assert seconds > 0
            assert bool(dc.inspect(path)) == (who in ("ours", "low_memory"))
            calls.append((script, who))
            made_up = SECONDS[who], int(1000 * SECONDS[who])
            return made_up if seconds_first else made_up[::-1]

        monkeypatch.setattr(module, "probe", checked_probe)

    spy_on("prepare", seconds_first=True)
    spy_on("whole_model", seconds_first=False)
    return calls


def test_fully_connected(figures_of, timed):
    figures = figures_of("fully_connected", "--repeats", "1", LAYERS=TINY_FC)
    assert figures == {"fc6_4_warm": 3, "fc6_4_cold": 3, "fc6_4_b32": 3}
    three = ["ours", "dense", "int8"]
    one = [(three, (1, 70, "->", 1, 40), options) for options in ({"invokes": 1}, {"cold": True})]
    batch = (three, (8, 70, "->", 8, 40), {"invokes": 1})
    # On one thread and on two.
    assert timed == [*one, *one, batch, batch]


def test_conv2d(figures_of, timed):
    figures = figures_of("conv2d", "--repeats", "1", LAYERS=TINY_CONV)
    assert figures == {"conv3x3_35": 3}
    assert [shape for _, shape, _ in timed] == [(1, 6, 6, 8, "->", 1, 6, 6, 8)] * 2


def test_threads(figures_of, timed):
    figures = figures_of(
        "threads",
        "--repeats=1",
        "--rounds=2",
        LAYERS={"fc6_4": importlib.import_module("fully_connected")},
        fully_connected__LAYERS=TINY_FC,
    )
    assert figures == {"fc6_4": 2}
    keys = [(who, threads) for who in ("ours", "dense") for threads in (1, 2)]
    assert timed == [(keys, (1, 70, "->", 1, 40), {"invokes": 8})] * 2


def test_whole_model(figures_of, timed, probed):
    figures = figures_of(
        "whole_model",
        "--repeats=1",
        ALEXNET=[(8, 3, 2, False, 0.4), 3],
        ALEXNET_DENSE=[(20, 0.3), (10, 0.4)],
        ALEXNET_SIZE=17,
        VGG_16=[(8, 3, 1, True, 0.4), 2],
        VGG_16_DENSE=[(10, 0.3)],
        VGG_16_SIZE=8,
    )
    networks = ("alexnet", "vgg16")
    of_each = {
        "": 3,
        "_low_memory": 1.5,
        "_rss_ratio": 0.3333,
        "_load_s": 1,
        "_low_memory_rss_ratio": 0.6667,
    }
    assert figures == {key + end: value for key in networks for end, value in of_each.items()}
    shapes = [(1, 17, 17, 3, "->", 1, 10), (1, 8, 8, 3, "->", 1, 10)]
    assert [(names, shape) for names, shape, _ in timed] == [
        *((["ours", "dense"], shape) for shape in shapes for _ in (1, 2)),
        *((["low_memory", "dense"], shape) for shape in shapes),
    ]
    assert probed == [("whole_model", who) for who in ("ours", "low_memory", "dense")] * 2


def test_prepare(figures_of, probed):
    layers = [("fc", (40, 70), None, 0.2, 31), ("conv", (8, 3, 3, 8), 6, 0.2, 31)]
    figures = figures_of("prepare", "--repeats=2", LAYERS=layers)
    sparse_weights = importlib.import_module("kernel_benchmark").sparse_weights
    for key, shape, _, density, clusters in layers:
        kept = np.count_nonzero(sparse_weights(shape, density, num_clusters=clusters))
        assert figures[key] == round(kept / SECONDS["ours"] / 1e6, 1)
        assert figures[f"{key}_bytes"] == round(1000 / kept, 2)
    assert probed == [("prepare", who) for who in ("ours", "ours", "dense")] * 2


def test_decoded(figures_of, timed, probed):
    layers = [
        ("depthwise", "", (1, 3, 3, 64), (1, 5, 5, 64), "depthwise"),
        ("grouped", "", (16, 3, 3, 8), (1, 5, 5, 16), "conv"),
        ("fc_dynamic", "", (40, 70), (1, 70), "fc_int8"),
        ("conv_integer", "", (16, 3, 3, 16), (1, 5, 5, 16), "conv_integer"),
    ]
    figures = figures_of("decoded", "--repeats=1", LAYERS=layers)
    of_each = {"": 5, "_memory": 0.33}
    assert figures == {key + end: value for key, *_ in layers for end, value in of_each.items()}
    for (names, shape, _), (*_, input_shape, _) in zip(timed, layers, strict=True):
        assert names == ["ours", "plain"]
        assert shape[: len(input_shape)] == input_shape
    assert probed == [("prepare", who) for _ in layers for who in ("ours", "dense")]


def test_interpreters(figures_of, monkeypatch):
    interpreters = importlib.import_module("interpreters")
    measure, ops = interpreters.added_bytes, []

    def added_bytes(who, path, warm_up, count):
        assert len(measure(who, path, warm_up, count)) == count == interpreters.COUNT
        ops.append([row.op for row in dc.inspect(path)])
        return [3_000_000, 2_000_000, 1_000_000, 1_000_000]

    monkeypatch.setattr(interpreters, "added_bytes", added_bytes)
    figures = figures_of("interpreters", COUNT=4, WIDTH=96)
    kinds = [
        f"{key}_{kind}" for key in ("fused", "dense", "table") for kind in ("first", "further")
    ]
    expected = {"first": 3, "further": 1}
    assert figures == {
        kind + end: expected[kind.split("_")[1]] for kind in kinds for end in ("", "_original")
    }
    fused, decoded = "KerasDcFullyConnected", "KerasDcDecode"
    assert ops == [[fused] * 2, [], [decoded] * 2, [], [decoded], []]


def test_codec(figures_of, monkeypatch):
    pytest.importorskip("zstandard")
    layers = [("conv", (16, 3, 3, 8), 0.3), ("fc", (40, 700), 0.1)]
    seen = []

    def median_in_turn(functions, repeats):
        """Each reading gives what it stands for, from either rival."""
        results = {key: function() for key, function in functions.items()}
        entries = results["ours",]
        for rival in ("zlib", "zstd"):
            gaps, indices = results["symbols", rival]
            assert indices == entries.indices.tobytes()
            assert len(gaps) >= len(indices)
            (rows, columns), same = results["positions", rival]
            np.testing.assert_array_equal(rows, entries.row_begin)
            np.testing.assert_array_equal(columns, entries.columns)
            assert same == indices
            assert results["arrays", rival][2] == indices
            dense = np.frombuffer(results["dense", rival], np.float32)
            assert np.count_nonzero(dense) == entries.indices.size
        seen.append((repeats, dense.size))
        made_up = {"ours": 1, "symbols": 2, "positions": 3, "arrays": 4, "dense": 5}
        return {key: made_up[key[0]] * (2 if "zlib" in key else 1) for key in functions}

    codec = importlib.import_module("codec")
    monkeypatch.setattr(codec, "median_in_turn", median_in_turn)
    figures = figures_of("codec", "--repeats=3", VGG_16=layers, SHANNON_WEIGHTS=20_000)
    assert seen == [(3, 16 * 3 * 3 * 8), (3, 40 * 700)]
    assert figures.pop("encode_s") > 0
    assert figures.pop("decode_gsym_s") >= 0
    assert 0.95 < figures.pop("worst_shannon_ratio") < 1.1
    readings = {"": 2, "_positions": 3, "_arrays": 4, "_dense": 5}
    assert figures == {
        f"decode_vs_{rival}{reading}": value * times
        for reading, value in readings.items()
        for rival, times in (("zlib", 2), ("zstd", 1))
    }


def test_planes(figures_of, monkeypatch):
    pytest.importorskip("zstandard")
    planes = importlib.import_module("planes")
    results = []

    def seconds(function):
        results.append(function())
        # Ours, zlib, zstd.
        return [1, 6, 3][(len(results) - 1) % 3]

    monkeypatch.setattr(planes, "seconds", seconds)
    figures = figures_of("planes", "--repeats=1", "--rows=64")
    for ours, zlib, zstd in zip(*[iter(results)] * 3, strict=True):
        assert ours.tobytes() == zlib == zstd
        assert ours.size == 64 * planes.COLUMNS
    assert len(results) == 3 * 6
    sizes = [value for key, value in figures.items() if key.endswith("_size")]
    assert len(sizes) == 6
    assert all(0.2 < size < 0.95 for size in sizes)
    assert {value for key, value in figures.items() if key.endswith("_vs_zstd")} == {3}


def test_kmeans(figures_of, monkeypatch):
    kmeans = importlib.import_module("kmeans")
    parts = []

    def in_this_process(part, repeats, python=None):
        parts.append(part)
        return kmeans.PARTS[part](repeats)

    monkeypatch.setattr(kmeans, "in_its_process", in_this_process)
    monkeypatch.setattr(kmeans.importlib.util, "find_spec", lambda name: None)
    figures = figures_of("kmeans", "--repeats=1", LARGE=3000, SMALL=2000, CHUNK=512)
    assert parts == ["exact", "histogram", "small"]
    assert figures["histogram_inertia_ratio"] == pytest.approx(1, abs=0.01)
    weights, centroids = kmeans.weights_of(2000), np.array([0.01, -0.02, 0.0])
    nearest = np.min((weights[:, None] - centroids) ** 2, axis=1)
    assert kmeans.inertia_of(weights, centroids) == pytest.approx(nearest.sum(), rel=1e-6)


def test_training_overhead_worked_out_by_hand():
    """A plain step takes 2 ms and a pruned one 3; the step with an update takes 53."""
    overhead = importlib.import_module("training_overhead")
    plain = [100.0] * overhead.WARM_UP_STEPS + [2.0] * 100
    pruned = [100.0] * overhead.WARM_UP_STEPS + [3.0] * 100
    pruned[overhead.UPDATE_EVERY] = 53.0
    results = overhead.ratios_of_steps({"plain": plain, "prune": pruned})
    # 3 / 2, and a hundredth of the 50 ms over a plain step.
    assert results == {"plain": (2.0, 1.0), "prune": (3.0, 1.5 + 0.5 / 2)}


def test_training_overhead_by_turns_worked_out_by_hand():
    """Of 100 steps: 200 ms, and 300, 600, 400 with the update; twice as long in a slow round."""
    overhead = importlib.import_module("training_overhead")
    warm_up = [9000.0] * overhead.WARM_UP_TURNS
    times = {"plain": [*warm_up, 200.0, 400.0, 200.0], "prune": [*warm_up, 300.0, 600.0, 400.0]}
    assert overhead.ratios_of_turns(times) == {"plain": (2.0, 1.0), "prune": (4.0, 1.5)}


def test_training_overhead_trains_each_way_by_turns(monkeypatch, tmp_path, figures_of):
    """The tiny MLP: 3 turns of 4 steps, the last one timed, an update at the begin of each."""
    overhead = importlib.import_module("training_overhead")
    updates = []
    for callback, name in ((dc.PruningCallback, "masks"), (dc.WeightSharingCallback, "indices")):

        def update(self, layers, step, name=name, update=callback.update):
            updates.append((name, step, len(layers)))
            update(self, layers, step)

        monkeypatch.setattr(callback, "update", update)
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    path = tmp_path / "results" / "tiny.json"
    options = ["--by-turns", "--rounds=1", "--size=tiny", f"--output={path}"]
    models = ["--models", "MLP 3x2048"]
    figures = figures_of(
        "training_overhead", *options, *models, UPDATE_EVERY=4, BATCH_SIZE=2, TOKENS=10
    )
    assert set(figures) == {"prune", "share", "reassign"}
    at = [0, 4, 8, 12]
    expected = 2 * [("masks", step, 4) for step in at] + [("indices", s, 4) for s in at[1:]]
    assert sorted(updates) == sorted(expected)
    saved = json.loads(path.read_text())
    assert saved["settings"]["steps_per_round"] == 4
    of_model = saved["results"]["keras_dc"]["MLP 3x2048"]
    assert set(of_model) == {"plain", "prune", "straight_through", "share", "reassign"}
    assert of_model["prune"]["ratio"] == figures["prune"] > 0
    assert overhead.build_transformer(overhead.WIDTHS["tiny"]).output_shape == (None, 10)


@pytest.mark.slow
def test_trained_lenet(figures_of, timed):
    figures = figures_of(
        "trained_lenet", "--only=lenet_300_100", "--images=1280", "--epochs=1", "--repeats=1"
    )
    assert figures == {"lenet_300_100": 3}
    assert {shape for _, shape, _ in timed} == {(1, 784, "->", 1, 10)}


def test_int8(figures_of, monkeypatch):
    int8 = importlib.import_module("int8")
    timed, probed = [], []

    def seconds_in_turn(interpreters, repeats):
        timed.append([*interpreters, repeats])
        return {who: SECONDS[who] for who in interpreters}

    def probe(who, path):
        assert bool(dc.inspect(path)) == (who == "ours")
        probed.append(who)
        return int(1000 * SECONDS[who])

    monkeypatch.setattr(int8.kernel_benchmark, "seconds_in_turn", seconds_in_turn)
    monkeypatch.setattr(int8, "probe", probe)
    figures = figures_of(
        "int8",
        "--repeats=1",
        LAYERS=[
            ("fc6_4", (1, 70), (40, 70), 0.2, 1),
            ("conv3x3_block25", (1, 6, 6, 8), (8, 3, 3, 8), 0.25, 4),
        ],
        ALEXNET=[(8, 3, 2, False, 0.4), 3],
        ALEXNET_DENSE=[(20, 0.3), (10, 0.4)],
        ALEXNET_SIZE=17,
        VGG_16=[(8, 3, 1, True, 0.4), 2],
        VGG_16_DENSE=[(20, 0.3)],
        VGG_16_SIZE=8,
        MOBILE_NET=[(1, 8, 1, 1), (6, 8, 2, 2)],
        MOBILE_NET_SIZE=16,
    )
    keys = ["fc6_4", "conv3x3_block25", "vgg16", "alexnet", "mobilenet_v2_25"]
    assert figures == {**dict.fromkeys(keys, 5.0), "weights_memory_ratio": 0.2}
    assert timed == [["ours", "plain", 1]] * len(keys)
    assert probed == ["ours", "plain"]
