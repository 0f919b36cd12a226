"""What a compressed model holds, and what became of each constant of the original."""

import dataclasses
import math

from keras_dc import codec
from keras_dc.codec import dtypes
from keras_dc.compression import custom_ops, unpacking
from keras_dc.compression.decide import Placement
from keras_dc.compression.report_rows import CodedTensor, LeftTensor
from keras_dc.compression.tensor_names import Places, TensorNames
from keras_dc.errors import CodecError
from keras_dc.support import text_columns
from keras_dc.tflite import model_file
from keras_dc.tflite.graph import Graph

_HEADINGS = ["tensor", "op", "shape", "kept%", "clusters", "coding", "bytes", "coded"]
_MEASURED_HEADINGS = ["Shannon", "zip"]
_FORM_HEADING = "form"
_ERROR_HEADINGS = ["error", "largest"]
_OUTPUT_HEADING = "output"
# Of those that are always there; further ones are numbers, but for the form.
_IS_NUMBER = [False, False, False, True, True, False, True, True]
_LEFT_IS_NUMBER = [False, False, False, True, False]
_LONGEST_NAME = 40
# What blobs may hold decoded, unless the caller says otherwise: a few bytes may declare anything.
MAX_DECODED_BYTES = 2**31


class Report(list):
    """Rows of CodedTensor and LeftTensor; `str` of it is a table.

    Attributes:
        file_bytes: size of the file that `inspect` read, None in a report of `compress`.
        names: `tensor_names.TensorNames` of the model; `inspect(original=report)` reads them.
        outputs: of `compress` with samples, a list of OutputChange as `compare_outputs` gives it,
            on the samples held back; else None.
    """

    def __init__(self, rows=(), *, file_bytes=None, names=None):
        super().__init__(rows)
        self.outputs = None
        self.file_bytes = file_bytes
        self.names = names

    @property
    def coded(self):
        """The rows of what is coded."""
        return Report((row for row in self if isinstance(row, CodedTensor)), names=self.names)

    @property
    def left(self):
        """The rows of what stays as it is."""
        return Report((row for row in self if isinstance(row, LeftTensor)), names=self.names)

    def __str__(self):
        return self.table()

    def table(self, *, measured=False, max_bytes=MAX_DECODED_BYTES):
        """The rows as text.

        Args:
            measured: whether to decode the blobs, for the true kept %, the Shannon bound,
                what zip makes of the same values, and the form of int8 weights. This takes
                seconds for a large model.
            max_bytes: int, how much the blobs may hold decoded.

        Returns:
            str, a line for each row and, after `inspect`, the totals.

        Raises:
            CodecError: if a blob is malformed, or the blobs declare more than `max_bytes`.
        """
        lines = []
        if measured:
            check_declared_bytes((row.blob for row in self.coded), max_bytes)
        if self.coded:
            has_errors = any(row.relative_error for row in self)
            heading = [*_HEADINGS, *(_MEASURED_HEADINGS if measured else [])]
            heading += _ERROR_HEADINGS if has_errors else []
            rows = [_cells(row, measured, has_errors) for row in self.coded]
            if any(row.output_error is not None for row in self.coded):
                heading.append(_OUTPUT_HEADING)
                rows = [[*cells, _output(row)] for cells, row in zip(rows, self.coded, strict=True)]
            is_number = _IS_NUMBER + [True] * (len(heading) - len(_IS_NUMBER))
            if measured and any(row.form for row in self.coded):
                heading.append(_FORM_HEADING)
                is_number.append(False)
                rows = [[*cells, row.form] for cells, row in zip(rows, self.coded, strict=True)]
            if self.file_bytes is not None:
                rows += self._totals(len(heading))
            lines += text_columns.aligned([heading, *rows], is_number)
        if self.left:
            lines += ["", "left as they are:"] if lines else []
            lines += text_columns.aligned([_left_cells(row) for row in self.left], _LEFT_IS_NUMBER)
        return "\n".join(lines)

    def _totals(self, num_cells):
        original = sum(row.original_bytes for row in self.coded)
        coded = sum(row.blob_bytes for row in self.coded)
        rest = self.file_bytes - coded
        for name, before, after in [
            ("graph and other constants", rest, rest),
            ("total", original + rest, self.file_bytes),
        ]:
            cells = [name, *[""] * 5, f"{before:,}", f"{after:,}"]
            yield cells + [""] * (num_cells - len(cells))


def check_declared_bytes(infos, max_bytes):
    """Refuse blobs that declare too much, before anything is decoded.

    Args:
        infos: iterable of codec.BlobInfo.
        max_bytes: int.

    Raises:
        CodecError: if they hold more than `max_bytes` decoded.
    """
    declared = sum(map(_dense_bytes, infos))
    if declared > max_bytes:
        raise CodecError(
            f"the blobs must hold at most `max_bytes` decoded. Received: {declared:,} bytes "
            f"declared, max_bytes={max_bytes:,}"
        )


def inspect(tflite, *, original=None):
    """List the blobs of a compressed model, from their headers alone.

    Args:
        tflite: bytes of a compressed `.tflite` model, or the path of a file.
        original: what tells the names of the tensors, which the file is usually without: the
            model that was compressed, as bytes or the path of a `.tflite` file; or the
            report of `compress` or `convert`, which also knows Keras layers, and errors.

    Returns:
        Report: a list of CodedTensor in the order of the operators, whose `str` is a
        table, and `table(measured=True)` a longer one. A blob that several operators read is
        listed once. A tensor without a name is called by the op that reads it.

    Raises:
        ModelFormatError: if `tflite` or `original` is not a TFLite model.
        CodecError: if the header of a blob is malformed.
        ValueError: if `original` is another model.
    """
    content = model_file.read(tflite)
    graph = Graph(model_file.parse(content))
    names = TensorNames.of(graph)
    if original is not None:
        names = names.completed_by(_names_of_original(original))
    places = Places(graph)
    report, seen = Report(file_bytes=len(content), names=names), set()
    for op, ref in custom_ops.blobs_of(graph):
        if ref == custom_ops.scales_of(graph, op):
            # A part of the graph, which had them before.
            continue
        blob = custom_ops.stored_blob(graph, op, ref)
        if (blob.buffer, blob.place) in seen:
            continue
        seen.add((blob.buffer, blob.place))
        info = codec.inspect(blob.content)
        is_decoded = graph.op_name(op) == custom_ops.DECODE
        weight = graph.output(op) if is_decoded else ref
        if original is None:
            names.shapes[weight] = info.shape
        else:
            names.check_shape(weight, info.shape)
        chains = unpacking.chains_of(graph, [weight])
        consumers = unpacking.consumers_of(graph, [weight], chains)
        called = places.row_names(weight, consumers, names)
        row = _coded(called, graph.op_name(op), blob.content, info, _dense_bytes(info))
        report.append(row)
    if isinstance(original, Report):
        report[:] = _with_errors(report, original)
    return report


def _with_errors(rows, made):
    """Rows with the errors that are known of the same tensors, by their places."""
    known = {row.place: row for row in made}
    for row in rows:
        same = known.get(row.place)
        names = ("relative_error", "largest_error", "output_error", "method") if same else ()
        yield dataclasses.replace(row, **{name: getattr(same, name) for name in names})


def _names_of_original(original):
    if not isinstance(original, Report):
        return TensorNames.of(Graph(model_file.parse(model_file.read(original))))
    if original.names is None:
        raise ValueError("`original` must be a report with names. Received: one without")
    return original.names


def report_of(graph, plan, left, changes, *, layers=None):
    """What becomes of each constant of a model.

    Args:
        graph: `tflite.graph.Graph` of the model, before it is changed.
        plan: `decide.Plan`.
        left: iterable of LeftConstant.
        changes: dict from the index of a buffer to `post_training.Change`.
        layers: dict from TensorRef to the name of the Keras layer, where it is known.

    Returns:
        Report, in the order of the buffers.
    """
    rows = {}
    names, places = TensorNames.of(graph, layers), Places(graph)

    def names_of(constant):
        op = graph.op_name(constant.consumers[0].op) if constant.consumers else ""
        return places.row_names(constant.tensors[0], constant.consumers, names), op

    for decision in plan.decisions:
        constant = decision.constant
        called, op = names_of(constant)
        if decision.placement is Placement.KEPT:
            row = _left(called, op, constant, decision.reason)
        else:
            form = plan.fusions.get(constant.consumers[0].op)
            is_fused = decision.placement is Placement.FUSED
            op = form.name if is_fused else custom_ops.DECODE
            content, info = decision.blob
            row = _coded(called, op, content, info, constant.size_bytes)
        rows[constant.buffer] = row
    for constant in left:
        called, op = names_of(constant)
        rows[constant.buffer] = _left(called, op, constant, constant.reason)
    for buffer, change in changes.items():
        rows[buffer] = dataclasses.replace(rows[buffer], **vars(change))
    return Report((rows[buffer] for buffer in sorted(rows)), names=names)


def _dense_bytes(info):
    """Bytes of the tensor that a blob holds, as a `.tflite` file stores it."""
    return -(-math.prod(info.shape) * dtypes.BY_NAME[info.dtype].size_bits // 8)


def _coded(called, op, content, info, original_bytes):
    size = len(content)
    return CodedTensor(op=op, blob=info, blob_bytes=size, original_bytes=original_bytes,
                       content=content, **called._asdict())  # fmt: skip


def _left(called, op, constant, reason):
    return LeftTensor(op=op, shape=constant.shape, original_bytes=constant.size_bytes,
                      reason=reason, **called._asdict())  # fmt: skip


def _cells(row, measured, has_errors):
    has_minus = measured and row.num_negative_zeros
    cells = [
        _label(row),
        row.op,
        _dimensions(row.shape),
        f"{100 * (row.kept_fraction if measured else row.density):.1f}",
        str(row.blob.num_centroids or "-"),
        row.coding + (", -0.0" if has_minus else ""),
        f"{row.original_bytes:,}",
        f"{row.blob_bytes:,}",
    ]
    if measured:
        cells += [f"{row.shannon_bytes:,.0f}", f"{row.zip_bytes:,}"]
    return cells + ([_error(row), f"{row.largest_error:.2g}"] if has_errors else [])


def _left_cells(row):
    reason = f"{row.reason} (error {_error(row)})" if row.relative_error else row.reason
    return [_label(row), row.op, _dimensions(row.shape), f"{row.original_bytes:,}", reason]


def _error(row):
    return f"{100 * row.relative_error:.2f}%"


def _output(row):
    return "-" if row.output_error is None else f"{100 * row.output_error:.2f}%"


def _label(row):
    """The layer and what the tensor is for it, or the tensor's name; in a table's width."""
    name = f"{row.layer}, {row.role}" if row.layer else row.name
    return name if len(name) <= _LONGEST_NAME else f"...{name[3 - _LONGEST_NAME :]}"


def _dimensions(shape):
    return "x".join(map(str, shape)) or "scalar"
