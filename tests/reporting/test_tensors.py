"""The figures of a tensor against those worked out by hand, and against its blob."""

import pathlib

import numpy as np
import pytest
from support.tiny_models import Graph, conv_net, int4, lookup, mlp, quantized, sparse

import keras_dc as dc
from keras_dc import codec
from keras_dc.compression.report_rows import CodedTensor
from keras_dc.reporting import tensors

# FORMAT.md, 10: gaps 1 2 3 3 1 0 of two bits, indices 0 1 0 0.
EXAMPLE_BLOB = pathlib.Path(__file__).parents[1] / "golden" / "v1-by_hand.blob"
EXAMPLE = np.float32([[0, 0.5, 0, 0, 0.25, 0, 0, 0], [0, 0, 0, 0, 0.5, 0.5, 0, 0]])


def row_of(blob):
    info = codec.inspect(blob)
    return CodedTensor("w", "op", info, len(blob), 4 * np.prod(info.shape), blob)


def test_the_formats_example_by_hand():
    figures = tensors.measure(row_of(EXAMPLE_BLOB.read_bytes()))
    assert figures.num_kept == 4
    assert figures.kept_fraction == 0.25
    assert figures.index_counts.tolist() == [3, 1]
    assert figures.centroids.tolist() == [0.5, 0.25]
    assert figures.index_bits == (1, 1.0)
    assert figures.gap_counts.tolist() == [1, 2, 1, 2]
    assert figures.gap_bits == (2, 2.0)
    assert figures.bits_per_kept == 8 * (1 + 2) / 4
    assert figures.stage_bytes == {
        "P": {"values": 16, "positions": 1.5},
        "P+Q": {"values": 0.5, "positions": 1.5, "codebook": 4},
        "P+Q+H": {"values": 1, "positions": 2, "codebook": 4, "tables": 20},
        "written": {"values": 1, "positions": 2, "codebook": 4, "tables": 20},
    }
    assert figures.total("written") == 27
    assert figures.percent("P+Q") == 100 * 6 / 64
    assert figures.histogram.to_dict() == {"values": [0.25, 0.5], "counts": [1, 3]}
    assert np.array_equal(figures.mask.density, EXAMPLE != 0)


@pytest.mark.parametrize("name", ["mlp", "conv_net", "int4", "quantized", "lookup"])
@pytest.mark.parametrize("coder", ["huffman", "arithmetic"])
def test_figures_agree_with_the_blob(name, coder):
    model = {"mlp": mlp, "conv_net": conv_net, "int4": int4, "quantized": quantized,
             "lookup": lookup}[name]()  # fmt: skip
    plain = dc.inspect(dc.compress(model.serialize()))
    rows = dc.inspect(dc.compress(model.serialize(), coder=coder))
    for row, huffman in zip(rows, plain, strict=True):
        figures = tensors.measure(row)
        values = codec.decode(row.content)
        assert figures.num_kept == np.count_nonzero(values)
        assert sum(figures.stage_bytes["written"].values()) == row.blob_bytes
        assert sum(figures.stage_bytes["P+Q+H"].values()) == huffman.blob_bytes
        assert figures.shannon_bytes == pytest.approx(row.shannon_bytes)
        blob = huffman.blob
        for kind, size in [("index", blob.index_bytes), ("gap", blob.gap_bytes)]:
            codes = figures.code_lengths(kind)
            if codes is not None:
                lengths, counts = codes
                # Each stream ends with a whole byte.
                assert size - blob.num_streams < lengths @ counts / 8 <= size
        if blob.gap_bits:
            assert figures.gap_counts[-1] == blob.num_fillers
            assert figures.gap_counts[:-1].sum() == blob.num_kept


def patterned(shape):
    """Sparse values of which half the rows and columns are nearly empty."""
    values = sparse(shape, density=0.3)
    values[::2][sparse(values[::2].shape, density=0.1, seed=1) == 0] = 0
    values[:, ::2][sparse(values[:, ::2].shape, density=0.1, seed=2) == 0] = 0
    return values


def test_an_arithmetic_row_tells_the_bits_of_huffman_codes():
    """What it takes for both together is a figure of its own."""
    values = patterned((120, 200))
    plain = row_of(codec.encode(values))
    row = row_of(codec.recode(plain.content))
    assert row.blob.coder == "arithmetic"
    assert (row.index_bits, row.gap_bits) == (plain.index_bits, plain.gap_bits)
    assert row.gap_bits[0] > 0
    streams = row.blob.index_bytes + row.blob.gap_bytes
    assert row.bits_per_kept == 8 * streams / np.count_nonzero(values)
    assert plain.bits_per_kept == pytest.approx(
        8 * (plain.blob.index_bytes + plain.blob.gap_bytes) / np.count_nonzero(values)
    )


def scaled_row(*, arithmetic):
    scales = np.random.default_rng(1).uniform(0.5, 2, (64, 1)).astype(np.float32)
    values = patterned((64, 190))
    codebook = np.unique(values[values != 0])
    blob = codec.encode_scaled(values * scales, codebook=codebook, scales=scales.ravel(), axis=0)
    return row_of(codec.recode(blob) if arithmetic else blob)


def test_a_scaled_blob_has_no_one_value_for_an_index():
    plain = tensors.measure(scaled_row(arithmetic=False))
    figures = tensors.measure(scaled_row(arithmetic=True))
    assert (plain.row.blob.coder, figures.row.blob.coder) == ("huffman", "arithmetic")
    assert figures.centroids is None
    assert figures.histogram.counts.sum() == figures.num_kept
    assert sorted(figures.index_counts) == sorted(plain.index_counts)
    assert figures.index_bits == plain.index_bits
    assert figures.gap_bits == plain.gap_bits
    assert figures.shannon_bytes == pytest.approx(figures.row.shannon_bytes)
    for figure in (plain, figures):
        side = figure.row.blob.codebook_bytes + figure.row.blob.scale_bytes
        assert figure.stage_bytes["P+Q+H"]["codebook"] == side


def test_a_blob_without_gaps_tells_the_zeros_that_it_codes():
    values = np.random.default_rng(0).choice(np.float32([0, 0.5, -0.25, 1]), (60, 60))
    figures = tensors.measure(row_of(codec.encode(values)))
    num_kept = np.count_nonzero(values)
    assert figures.num_kept == num_kept
    assert figures.gap_bits is None
    assert figures.index_counts.sum() == 3600
    # Pruning alone would keep three quarters of the weights, and gaps of one bit.
    symbols = len(positions_by_hand(values, filler=1))
    assert figures.stage_bytes["P"] == {"values": 4 * num_kept, "positions": symbols / 8}
    assert 0 not in figures.histogram.values
    assert figures.histogram.counts.sum() == num_kept


def positions_by_hand(values, *, filler):
    """Gap symbols of the rows, one loop for one weight."""
    symbols, gap = [], 0
    for value in values.ravel():
        if value == 0:
            gap += 1
            continue
        while gap >= filler:
            symbols.append(filler)
            gap -= filler
        symbols.append(gap)
        gap = 0
    return symbols


def test_gap_symbols_match_a_plain_loop():
    values = sparse((37, 53), density=0.05)
    for bits in (1, 2, 3, 8):
        filler = 2**bits - 1
        flat = tensors.positions.kept_positions(values)
        counts = tensors.positions.gap_symbol_counts(flat, bits)
        expected = np.bincount(positions_by_hand(values, filler=filler), minlength=filler + 1)
        assert counts.tolist() == expected.tolist()


def test_a_scan_by_columns():
    """Whole columns are kept: the scan is by columns, and the gaps are counted there."""
    values = np.zeros((64, 64), np.float32)
    values[:, [3, 10, 11, 40]] = np.random.default_rng(0).choice(np.float32([1, 2, 3]), (64, 4))
    row = row_of(codec.encode(values))
    assert row.blob.column_major
    figures = tensors.measure(row)
    assert figures.gap_counts.sum() == row.blob.num_kept + row.blob.num_fillers
    assert (
        figures.gap_counts.tolist()
        == np.bincount(
            positions_by_hand(values.T, filler=2**row.blob.gap_bits - 1),
            minlength=2**row.blob.gap_bits,
        ).tolist()
    )


def test_a_zero_point_counts_as_zero():
    values = np.full((40, 50), -3, np.int8)
    values[::2, ::5] = np.random.default_rng(0).integers(0, 9, (20, 10))
    row = row_of(codec.encode(values, zero_point=-3))
    assert row.blob.zero_point == -3
    figures = tensors.measure(row)
    assert figures.num_kept == 200
    assert row.kept_fraction == figures.kept_fraction == 0.1
    assert figures.shannon_bytes == pytest.approx(row.shannon_bytes)
    assert figures.histogram.counts.sum() == 200


@pytest.mark.parametrize("shape", [(), (7,), (0,), (3, 0), (5, 8)])
@pytest.mark.parametrize("fill", [0.0, 0.5])
def test_odd_tensors(shape, fill):
    figures = tensors.measure(row_of(codec.encode(np.full(shape, fill, np.float32))))
    size = int(np.prod(shape))
    assert figures.num_kept == (size if fill else 0)
    assert figures.total("written") == figures.row.blob_bytes
    assert (figures.bits_per_kept is None) == (figures.num_kept == 0)
    assert (figures.mask is None) == (len(shape) < 2 or not size)


def test_values_without_a_codebook_have_bins():
    values = np.random.default_rng(0).normal(size=(50, 60)).astype(np.float32)
    values[0, 0] = np.nan
    figures = tensors.measure(row_of(codec.encode(values)))
    assert figures.index_bits is None
    assert "P+Q" not in figures.stage_bytes
    assert figures.histogram.counts.sum() == 2999
    bfloat16 = (values.view(np.uint32) >> 16).astype(np.uint16)
    figures = tensors.measure(row_of(codec.encode(bfloat16, dtype="bfloat16")))
    assert figures.histogram.counts.sum() == 2999
    assert -5 < figures.histogram.edges[0] < figures.histogram.edges[-1] < 5


def test_a_large_mask_is_averaged_over_blocks():
    values = np.zeros((700, 1100), np.float32)
    values[:3] = 1
    picture = tensors.measure(row_of(codec.encode(values))).mask
    assert picture.block == (3, 3)
    assert picture.density.shape == (234, 367)
    assert np.all(picture.density[0] == 1)
    assert np.all(picture.density[1:] == 0)
    # The last row of blocks has one row of weights.
    values[-1] = 1
    assert np.all(tensors.measure(row_of(codec.encode(values))).mask.density[-1] == 1)


def test_a_pruned_file_tells_the_first_stage():
    graph = Graph()
    x = graph.input((1, 80))
    pruned = sparse((70, 80), density=0.3)
    graph.output(graph.fully_connected(x, graph.constant(pruned, "w"), None))
    shared = np.where(np.abs(pruned) > 0.5, pruned, 0)
    other = Graph()
    x = other.input((1, 80))
    other.output(other.fully_connected(x, other.constant(shared, "w"), None))
    report = dc.report(dc.compress(other.serialize()), stages={"pruned": graph.serialize()})
    (row,) = report.rows()
    assert row["kept"] == np.count_nonzero(shared) < np.count_nonzero(pruned)
    gaps = min(
        bits * len(positions_by_hand(pruned, filler=2**bits - 1)) / 8 for bits in range(1, 9)
    )
    assert row["p_bytes"] == 4 * np.count_nonzero(pruned) + gaps


@pytest.mark.parametrize(
    "path", sorted(EXAMPLE_BLOB.parent.glob("*.blob")), ids=lambda path: path.stem
)
def test_every_kind_of_blob_is_measured(path):
    content = path.read_bytes()
    row = row_of(content)
    figures = tensors.measure(row)
    info, values = codec.decode_with_info(content)
    zero = values.dtype.type(info.zero_point)
    is_kept = values != zero if info.zero_point else values.view(f"u{values.itemsize}") != 0
    assert figures.num_kept == np.count_nonzero(is_kept)
    assert sum(figures.stage_bytes["written"].values()) == len(content)
    if figures.histogram is not None and info.scale_axis is None:
        finite = np.isfinite(tensors.as_float(values[is_kept], info.dtype))
        assert figures.histogram.counts.sum() == np.count_nonzero(finite)
    if info.coder == "huffman" and info.gap_bits:
        assert figures.gap_counts.sum() == info.num_kept + info.num_fillers
    if figures.index_counts is not None and info.coder == "huffman":
        assert figures.index_counts.sum() == info.num_kept
