"""The plots as matplotlib figures, and the page as text."""

import builtins
import re
import struct
import zlib

import numpy as np
import pytest
from support import reports
from support.tiny_models import lookup

import keras_dc as dc
from keras_dc.reporting import png
from keras_dc.reporting.drawing import SERIES, caption_of


@pytest.fixture(scope="module")
def full():
    return reports.full_report()


@pytest.fixture(scope="module")
def figures(full):
    return full.figures()


@pytest.fixture(scope="module")
def page(full):
    return full.html()


def test_every_part_has_its_figure(figures):
    kinds = {name.partition("/")[0] for name in figures}
    assert kinds == {"bytes", "shares", "zips", "sensitivity", "curve", "weights", "codes", "mask"}
    assert "mask/w0" in figures
    few = dc.report(dc.compress(lookup().serialize())).figures()
    assert list(few) == ["bytes", "shares", "zips", *(f"{kind}/GATHER 1, input 0" for kind in
                         ("weights", "codes", "mask"))]  # fmt: skip


def widths(axes):
    return [[patch.get_width() for patch in bars] for bars in axes.containers]


def test_the_stacked_bars_add_up_to_the_stages(full, figures):
    (axes,) = figures["bytes"].axes
    rows = full.rows()
    totals = [
        sum(row["p_bytes"] if row[f"{stage}_bytes"] is None else row[f"{stage}_bytes"]
            for row in rows)
        for stage in ("p", "p_q", "p_q_h", "written")
    ]  # fmt: skip
    assert np.sum(widths(axes), axis=0) == pytest.approx(np.array(totals) / 1024)
    (axes,) = figures["shares"].axes
    weights = [row for row in rows if row["role"] == "weights"]
    shares = [row[f"{stage}_percent_of_float32"] for row in weights
              for stage in ("p", "p_q", "p_q_h", "written")]  # fmt: skip
    assert np.sum(widths(axes), axis=0) == pytest.approx(shares)


def test_zips_stand_beside_ours(full, figures):
    (axes,) = figures["zips"].axes
    found = full.to_dict()
    labels = [text.get_text() for text in axes.get_yticklabels()]
    sizes = dict(zip(labels, widths(axes)[0], strict=True))
    zips = found["files"][-1]["zip_bytes"]
    assert sizes["xz -9e"] * 1024 == pytest.approx(zips["xz -9e"])
    assert sizes["int8 + xz"] * 1024 == pytest.approx(found["int8"]["zip_bytes"]["xz -9e"])
    assert sizes["keras_dc"] * 1024 == pytest.approx(found["file_bytes"])
    bound = found["shannon_bytes"] + found["rest_bytes"]
    assert sizes["Shannon bound"] * 1024 == pytest.approx(bound)


def test_centroids_are_drawn_where_they_are(full, figures):
    tensor = full.to_dict()["tensors"][0]
    axes = figures["weights/w0"].axes[0]
    stems, dots = axes.get_lines()
    assert dots.get_xdata().tolist() == tensor["histogram"]["values"]
    assert dots.get_ydata().tolist() == tensor["histogram"]["counts"]
    assert set(tensor["histogram"]["values"]) == set(tensor["centroid_values"])
    x, y = stems.get_data()
    assert x[::3].tolist() == x[1::3].tolist() == dots.get_xdata().tolist()
    assert not y[::3].any()


def test_code_lengths_and_sensitivity_are_drawn(full, figures):
    tensor = full.to_dict()["tensors"][0]
    index, gap = figures["codes/w0"].axes
    lengths = index.patches[0].get_data().values
    assert sorted(lengths) == sorted(tensor["index_code_lengths"])
    assert np.all(np.diff(lengths) >= 0)
    assert gap.patches[0].get_data().values.tolist() == tensor["gap_code_lengths"]
    (axes,) = figures["sensitivity"].axes
    assert axes.get_lines()[0].get_xdata().tolist() == [50, 90]
    assert axes.get_lines()[0].get_ydata().tolist() == [0.97, 0.5]
    (axes,) = figures["curve"].axes
    assert axes.get_lines()[0].get_xdata().tolist() == [40, 140, 220]


def test_masks_are_drawn(full, figures):
    (image,) = figures["mask/w0"].axes[0].images
    assert np.count_nonzero(image.get_array()) == full.rows()[0]["kept"]


def test_tensors_of_one_name_have_figures_each():
    compressed = dc.compress(reports.small_model())
    report = dc.report(compressed)
    content = report._content
    twin = content.tensors[0]
    both = type(content)(**{**vars(content), "tensors": (twin, twin)})
    names = list(type(report)(both).figures())
    assert f"mask/{twin.label}" in names
    assert f"mask/{twin.label} 1" in names


def test_the_page_loads_nothing(page):
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?!data:|#)", page)
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)
    assert "<script" not in page
    # Colours follow the theme.
    assert not any(colour in page.split("</style>", 1)[1] for colour in SERIES)


def test_ids_are_unique_and_found(page):
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', page)) <= set(ids)


def test_tiles_tell_the_figures(full, page):
    tiles = dict(re.findall(r'<dt>([^<]+)</dt><dd><span class="value">([^<]+)</span>', page))
    found = full.to_dict()
    kept = sum(row["kept"] for row in full.rows())
    assert tiles == {
        "smaller": f"{found['ratio']:.1f}x",
        "size": f"{found['file_bytes'] / 1024:.1f} KB",
        "error": "1.39 %",
        "weights kept": f"{100 * kept / 19160:.1f} %",
        "latency, median": "0.011 ms",
        "peak memory": "31.0 MB",
    }
    # Three kernels, and two biases; the third is too small.
    assert f"{kept:,} of 19,160 coded" in page
    assert "dense: 1.74 %" in page


def test_what_plots_show_stands_in_tables_too(page):
    """A plot is hidden from who cannot see it."""
    text = re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL))
    words = " ".join(text.split())
    assert "accuracy with one layer pruned to each sparsity; 0.98 as it is" in words
    assert "pruned layer 50 % 90 % w0 0.97 0.5" in words
    assert "file times smaller accuracy paper 40 0.984" in words


def test_scores_that_are_no_accuracies_are_told_as_they_are():
    compressed = dc.compress(lookup().serialize())
    page = dc.report(compressed, scores={"file": 12.5}, metric="mse").html()
    assert '<dt>mse</dt><dd><span class="value">12.5</span>' in page
    assert ">error<" not in page


def test_a_notebook_shows_the_page_in_a_frame(full):
    frame = full._repr_html_()
    assert frame.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert frame.count('"') == 6


@pytest.mark.parametrize(("module", "name"), [("jinja2", "Jinja2"), ("matplotlib", "matplotlib")])
def test_a_missing_library_is_named_with_its_command(full, monkeypatch, module, name):
    original = builtins.__import__

    def refuse(imported, *others):
        if imported.partition(".")[0] == module:
            raise ImportError(imported)
        return original(imported, *others)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=rf'{name}.*`pip install "keras-dc\[report\]"`'):
        full.html()
    assert full.to_dict()["title"] == reports.NASTY  # needs neither


def test_a_notebooks_settings_stay_as_they_are(full):
    import matplotlib

    before = dict(matplotlib.rcParams)
    full.figures()
    full.html()
    assert dict(matplotlib.rcParams) == before


def test_captions_are_cut_and_are_no_formulas():
    assert caption_of("a\nb  c") == "a b c"
    assert caption_of("0123456789", 8) == "...56789"
    assert caption_of("$x$") == r"\$x\$"


def test_a_png_is_one(tmp_path):
    content = png.of_strengths(np.array([[0, 0.5, 1], [2, -1, 0]]), "#102030")
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (3, 2)
    place, chunks = 8, {}
    while place < len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        kind, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        (checksum,) = struct.unpack(">I", content[place + 8 + size : place + 12 + size])
        assert zlib.crc32(kind + data) == checksum
        chunks[kind], place = data, place + 12 + size
    assert zlib.decompress(chunks[b"IDAT"]) == bytes([0, 0, 128, 255, 0, 255, 0, 0])
    assert chunks[b"PLTE"][:3] == bytes([0x10, 0x20, 0x30])
    assert chunks[b"tRNS"] == bytes(range(256))
