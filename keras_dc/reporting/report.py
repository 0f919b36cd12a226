"""`report`: what a compressed file holds, measured, beside its rivals."""

import dataclasses
import json
import os
import pathlib

from keras_dc.compression.expand import expand
from keras_dc.compression.report import MAX_DECODED_BYTES, Report, inspect
from keras_dc.reporting import document, files, originals, tensors
from keras_dc.reporting.content import (
    Content,
    checked_curve,
    checked_parts,
    checked_scores,
    jsonable,
)
from keras_dc.reporting.histograms import Histogram
from keras_dc.support import atomic_files
from keras_dc.tflite import model_file

PRUNED = "pruned"
# A larger dense file is not zipped, which would save a tenth of it and take most of the time.
_MOST_BYTES_OF_A_DENSE_FILE = 4 * 2**20
_SUFFIXES = (".html", ".json")


def report(
    compressed,
    *,
    original=None,
    names=None,
    int8=None,
    scores=None,
    metric="accuracy",
    sensitivity=None,
    curve=None,
    benchmark=None,
    choices=None,
    stages=None,
    title=None,
    filepath=None,
    max_bytes=MAX_DECODED_BYTES,
):
    """Measure a compressed file, and set what it takes beside what others would.

    The file is decoded, and its weights are zipped: this takes seconds, some ten for a
    network of 500 MB. All that the report states is computed from the file or given here;
    what is not given is left out.

    Args:
        compressed: bytes of a compressed `.tflite` file, or its path.
        original: the dense float `.tflite` file that it is compared with, as bytes or a path;
            or the report of `convert` or `compress`, for the names of tensors alone. None
            compares with the same weights uncompressed.
        names: what tells the names of the tensors, as `inspect(original=...)` takes it; by
            default `original`, if that has the same tensors.
        int8: the rival, an int8 `.tflite` file, as bytes or a path; shown with its zips.
        scores: dict from a label to a number, in the order of the stages: "dense", "pruned",
            "pruned and shared", "compressed file".
        metric: str, what the scores are. Accuracies from 0 to 1 are also told as errors.
        sensitivity: `keras_dc.training.Sensitivity`.
        curve: list of dicts "ratio", "score" and "label", for the curve of scores against
            ratios.
        benchmark: what `keras_dc.benchmark` returned.
        choices: nested dict of the settings that made the file.
        stages: dict from a label to the `.tflite` file of an earlier stage, as bytes or a path.
            That of "pruned" tells what pruning alone takes; without it, that is computed from
            the kept weights of the file.
        title: str; by default the name of the file.
        filepath: where to write the report, too: `.html` or `.json`.
        max_bytes: int, how much the blobs may hold decoded.

    Returns:
        CompressionReport.

    Raises:
        ModelFormatError: if a file is not a TFLite model.
        CodecError, CompressionError: if a blob is malformed, or the blobs declare more than
            `max_bytes`.
        ValueError: if an argument is not as described, or `names` are those of another model.
        FileNotFoundError, IsADirectoryError: if there is no such file, or none can be at
            `filepath`.
        ImportError: if Jinja2 or matplotlib are not installed and `filepath` is `.html`:
            `pip install "keras-dc[report]"`.
    """
    if filepath is not None:
        _check_suffix(filepath)
        atomic_files.check_place(filepath)
    checked_parts(sensitivity, benchmark, choices)
    given = {"scores": checked_scores(scores), "curve": checked_curve(curve)}
    content = model_file.read(compressed)
    expanded = expand(content, max_bytes=max_bytes)
    sources, notes = _Sources(original, names, stages, max_bytes), []
    rows = sources.rows(content, notes)
    measured = tuple(map(tensors.measure, rows))
    if not measured:
        notes.append("No constant of this file is coded.")
    rivals, same_weights = sources.files(expanded)
    made = CompressionReport(
        Content(
            title=title or _title(compressed),
            tensors=sources.with_pruned_bytes(measured),
            file=files.FileFigures("compressed file", len(content), {}, is_ours=True),
            rivals=rivals,
            same_weights=same_weights,
            num_rest_bytes=len(content) - sum(row.blob_bytes for row in rows),
            histograms=sources.histograms(rows),
            int8=None if int8 is None else files.measure("int8", _checked(int8)),
            metric=str(metric),
            sensitivity=sensitivity,
            benchmark=benchmark,
            choices=jsonable(choices or {}),
            notes=tuple(notes),
            **given,
        )
    )
    if filepath is not None:
        made.save(filepath)
    return made


class _Sources:
    """The files beside the compressed one: what they are called, and what they hold."""

    def __init__(self, original, names, stages, max_bytes):
        is_file = original is not None and not isinstance(original, Report)
        self._original = model_file.read(original) if is_file else None
        self._names, self._may_differ = names, False
        if names is None and original is not None:
            self._names, self._may_differ = (self._original if is_file else original), is_file
        self._stages = {label: model_file.read(file) for label, file in (stages or {}).items()}
        self._max_bytes = max_bytes
        self._constants: dict = {}

    def rows(self, content, notes):
        """The CodedTensors of the file, with names where they are known."""
        if self._names is None:
            return inspect(content)
        try:
            return inspect(content, original=self._names)
        except ValueError as error:
            # Its subclasses tell of broken files.
            if not self._may_differ or type(error) is not ValueError:
                raise
            notes.append(
                "The original has tensors of other shapes, so tensors are called by their ops."
            )
            return inspect(content)

    def files(self, expanded):
        """FileFigures of the original, of each stage and of the same weights uncompressed.

        Returns:
            tuple of them, first what the ratio compares with; and the last one.
        """
        same = files.measure("same weights, uncompressed", expanded)
        found = []
        if self._original == expanded:
            same = dataclasses.replace(same, label="original")
        elif self._original is not None:
            found.append(_original_file(self._original))
        for label, content in self._stages.items():
            found.append(
                dataclasses.replace(same, label=label)
                if content == expanded
                else files.measure(label, content)
            )
        is_first = self._original is None or self._original == expanded
        found.insert(0 if is_first else len(found), same)
        return tuple(found), same

    def histograms(self, rows):
        """By place, what the weights of a tensor were: of the pruned stage, or of the original."""
        found = {}
        for label in [PRUNED, "original"]:
            constants = self._constants_of(label)
            for row in rows:
                constant = constants.get(row.place)
                if constant is None or constant.shape != row.shape or row.place in found:
                    continue
                values = tensors.as_float(constant.values.reshape(-1), constant.dtype)
                histogram = Histogram.of_values(values[values != constant.zero_point])
                if histogram is not None:
                    found[row.place] = label, histogram
        return found

    def with_pruned_bytes(self, measured):
        """The same TensorFigures, whose stage P is that of the pruned file where there is one."""
        constants = self._constants_of(PRUNED)
        return tuple(
            tensors.with_stage_p(figures, constants[figures.row.place])
            if figures.row.place in constants
            and constants[figures.row.place].shape == figures.row.shape
            else figures
            for figures in measured
        )

    def _constants_of(self, label):
        content = self._original if label == "original" else self._stages.get(label)
        if content is None:
            return {}
        if label not in self._constants:
            self._constants[label] = originals.constants_by_place(
                content, max_bytes=self._max_bytes
            )
        return self._constants[label]


def _original_file(content):
    if len(content) > _MOST_BYTES_OF_A_DENSE_FILE:
        return files.FileFigures("original", len(content), {})
    return files.measure("original", content)


def _checked(tflite):
    content = model_file.read(tflite)
    model_file.parse(content)
    return content


def _title(compressed):
    is_path = isinstance(compressed, (str, os.PathLike))
    return pathlib.Path(compressed).name if is_path else "Compressed model"


def _check_suffix(filepath):
    if pathlib.Path(filepath).suffix.lower() not in _SUFFIXES:
        raise ValueError(
            f"the name of a report must end with {' or '.join(_SUFFIXES)}. "
            f"Received: filepath={str(filepath)!r}"
        )


class CompressionReport:
    """A report as a page of HTML, as JSON, as rows and as figures; `report` makes it.

    A notebook shows the page. `pandas.DataFrame(report.rows())` is the table of tensors.
    """

    def __init__(self, content):
        self._content = content

    def __repr__(self):
        content = self._content
        return (
            f"<CompressionReport {content.title!r}: {content.file.size_bytes:,} bytes, "
            f"{content.ratio:.1f}x smaller, {len(content.tensors)} tensors>"
        )

    def _repr_html_(self):
        from keras_dc.reporting import page

        return page.in_a_frame(self.html())

    def html(self):
        """The page, in one piece: str. It loads nothing.

        Raises:
            ImportError: if Jinja2 or matplotlib are not installed.
        """
        from keras_dc.reporting import page

        return page.render(self._content)

    def to_dict(self):
        """All figures as a nested dict that JSON can hold; numbers that are not finite are None."""
        return document.to_dict(self._content)

    def rows(self):
        """A flat dict for each coded tensor, with the same keys in each: list."""
        return document.rows(self._content)

    def figures(self):
        """The plots, by name: dict of `matplotlib.figure.Figure`.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        from keras_dc.reporting import figures

        return figures.all_figures(self._content)

    def save(self, filepath):
        """Write the page, or the JSON, whole or not at all.

        Args:
            filepath: path that ends with `.html` or `.json`.

        Raises:
            ValueError: if it ends otherwise.
            FileNotFoundError, IsADirectoryError: if no file can be there.
        """
        _check_suffix(filepath)
        atomic_files.check_place(filepath)
        if pathlib.Path(filepath).suffix.lower() == ".json":
            text = json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"
        else:
            text = self.html()
        atomic_files.write_atomically(filepath, text.encode())
