"""A report as JSON and as rows."""

import keras_dc
from keras_dc.reporting import energy
from keras_dc.reporting.content import jsonable
from keras_dc.reporting.tensors import STAGES

_COLUMN = {"P": "p", "P+Q": "p_q", "P+Q+H": "p_q_h", "written": "written"}


def rows(content):
    """A flat dict for each coded tensor; what a tensor lacks is None.

    Args:
        content: Content.

    Returns:
        list of dicts with the same keys: bytes, bits and per cent by their names.
    """
    return [_row(figures) for figures in content.tensors]


def _row(figures):
    row, blob = figures.row, figures.row.blob
    index, gap = figures.index_bits or (None, None), figures.gap_bits or (None, None)
    found = {
        "name": row.name,
        "layer": row.layer,
        "role": row.role,
        "op": row.op,
        "dtype": blob.dtype,
        "shape": tuple(row.shape),
        "coding": row.coding,
        "weights": row.num_weights,
        "kept": figures.num_kept,
        "kept_percent": 100 * figures.kept_fraction,
        "centroids": blob.num_centroids or None,
        "index_bits_fixed": index[0],
        "index_bits_huffman": index[1],
        "gap_bits_fixed": gap[0],
        "gap_bits_huffman": gap[1],
        "bits_per_kept_written": figures.bits_per_kept,
    }
    for stage in STAGES:
        found[f"{_COLUMN[stage]}_bytes"] = figures.total(stage)
        found[f"{_COLUMN[stage]}_percent_of_float32"] = figures.percent(stage)
    return {
        **found,
        "original_bytes": row.original_bytes,
        "shannon_bytes": figures.shannon_bytes,
        "relative_error": row.relative_error or None,
        "output_error": row.output_error,
        "method": row.method or None,
    }


def to_dict(content):
    """A Content as a nested dict that JSON can hold."""
    found = {
        "title": content.title,
        "keras_dc": keras_dc.__version__,
        "file_bytes": content.file.size_bytes,
        "ratio": content.ratio,
        "ratio_to": content.rivals[0].label,
        "weight_bytes": content.weight_bytes,
        "original_weight_bytes": content.original_weight_bytes,
        "rest_bytes": content.num_rest_bytes,
        "shannon_bytes": content.shannon_bytes,
        "same_weights": content.same_weights.label,
        "files": [_file(file) for file in content.rivals],
        "int8": None if content.int8 is None else _file(content.int8),
        "metric": content.metric,
        "scores": content.scores,
        "sensitivity": _sensitivity(content.sensitivity),
        "curve": content.curve,
        "benchmark": None if content.benchmark is None else content.benchmark.to_dict(),
        "energy_estimate": {
            "source": energy.SOURCE,
            "original_weights_microjoules": energy.reading_microjoules(
                content.original_weight_bytes
            ),
            "weights_microjoules": energy.reading_microjoules(content.weight_bytes),
        },
        "tensors": [
            {**row, **_drawn(figures, content.histograms.get(figures.row.place))}
            for row, figures in zip(rows(content), content.tensors)
        ],
        "choices": content.choices,
        "notes": content.notes,
    }
    return jsonable(found)


def _file(file):
    return {"label": file.label, "bytes": file.size_bytes, "zip_bytes": file.zips}


def _sensitivity(scan):
    if scan is None:
        return None
    names = ("metric", "sparsities", "baseline", "values")
    return {name: getattr(scan, name) for name in names}


def _drawn(figures, before):
    """What the plots of a tensor show."""
    found = {"stage_bytes": figures.stage_bytes}
    for kind in ("index", "gap"):
        codes = figures.code_lengths(kind)
        if codes is not None:
            found[f"{kind}_code_lengths"], found[f"{kind}_counts"] = codes
    if figures.centroids is not None:
        found["centroid_values"] = figures.centroids
    if figures.histogram is not None:
        found["histogram"] = figures.histogram.to_dict()
    if before is not None:
        label, histogram = before
        found["histogram_before"] = {"label": label, **histogram.to_dict()}
    return found
