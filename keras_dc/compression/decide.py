"""Which constants are coded: those that save bytes, and which ops are fused for them."""

import dataclasses
import enum

from keras_dc.compression import custom_ops, int8_ops, int8_speed, unpacking
from keras_dc.compression.bundling import MOST_BLOB_BYTES
from keras_dc.compression.constants import Constant
from keras_dc.compression.encode import Blob

# What coding a constant adds to the flatbuffer around the blob: for a fused op its
# options, otherwise a tensor and an operator of their own; a note if it was sparse.
_FUSED_OVERHEAD_BYTES = 16
# A constant that joins others in a bundle gives up a tensor and a buffer of its own.
_JOINING_OVERHEAD_BYTES = -32
_DECODE_OVERHEAD_BYTES = 96
_NOTE_OVERHEAD_BYTES = 24
# And once for a model, with the first of its kind: an operator code; a metadata entry.
_FIRST_DECODE_BYTES = 64
_FIRST_NOTE_BYTES = 136
# A float16 convolution of fewer weights stays XNNPACK's. Six networks of MediaPipe, pruned to a
# fifth, ran 0.5 to 0.9 times as fast as before with all convolutions fused, and 0.95 to 1.1 times
# with these left out.
_LEAST_CONVOLVED_WEIGHTS = 2**14


class Placement(enum.Enum):
    """What becomes of a constant.

    Attributes:
        KEPT: it stays as it is.
        FUSED: the ops that compute with it are fused and read the blob; what was between goes.
        DECODED: a `KerasDcDecode` of its own makes it a tensor again.
        STANDS_IN: a `KerasDcDecode` takes the place of the last op of each of its `chains`.
    """

    KEPT = enum.auto()
    FUSED = enum.auto()
    DECODED = enum.auto()
    STANDS_IN = enum.auto()


@dataclasses.dataclass(frozen=True)
class Decision:
    """What becomes of one constant.

    Attributes:
        constant: Constant.
        blob: Blob that it is coded as, or would have been.
        placement: Placement.
        reason: str, why it is kept; "" if it is coded.
        chains: tuple of `unpacking.Chain`, whose ops go.
    """

    constant: Constant
    blob: Blob
    placement: Placement
    reason: str = ""
    chains: tuple[unpacking.Chain, ...] = ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that is to be done to a model.

    Attributes:
        decisions: tuple of Decision, in the order of the constants.
        fusions: dict from OpRef to the FusedForm that takes its place.
        scales: dict from TensorRef to bytes: of int8 weights of fused ops the scales, float32
            or a blob of them.
    """

    decisions: tuple[Decision, ...]
    fusions: dict
    scales: dict = dataclasses.field(default_factory=dict)


def decide(graph, constants, blobs, *, min_saving):
    """Decide for each constant whether it is coded, and how.

    Args:
        graph: `tflite.graph.Graph`.
        constants: iterable of Constant.
        blobs: list of Blob, one for each constant.
        min_saving: float in [0, 1), minimum fraction of a constant's bytes to save.

    Returns:
        Plan.
    """
    savings = _Savings(min_saving)
    decisions, fusions = {}, {}
    pairs = list(zip(constants, blobs, strict=True))
    for constant, blob in pairs:
        forms = _fused_forms(graph, constant, blob)
        if forms:
            decision = savings.decide(constant, blob, Placement.FUSED, constant.chains)
            decisions[constant.buffer] = decision
            if not decision.reason:
                fusions |= forms
    for constant, blob in pairs:
        if constant.buffer not in decisions:
            placement, chains = _placement(graph, constant, fusions)
            decisions[constant.buffer] = savings.decide(constant, blob, placement, chains)
    return Plan(tuple(decisions[constant.buffer] for constant in constants), fusions)


def _fused_forms(graph, constant, blob):
    """The fused form of each op that computes with a constant; {} unless all have one."""
    is_int8 = constant.dtype == "int8"
    # The scales of a sparse constant belong to its dense form, too.
    if is_int8 and (constant.chains or constant.zero_point != 0):
        return {}
    if not _can_be_read_directly(constant):
        return {}
    if not is_int8 and not custom_ops.is_faster_fused(blob.info.num_kept / constant.values.size):
        return {}
    forms = {read.op: custom_ops.fused_form(graph, read.op) for read in constant.consumers}
    is_weight = all(read.position == custom_ops.WEIGHTS_INPUT for read in constant.consumers)
    if not is_weight or None in forms.values():
        return {}
    if is_int8 and not all(_is_better_fused(graph, op, constant) for op in forms):
        return {}
    if constant.dtype == "float16" and constant.values.size < _LEAST_CONVOLVED_WEIGHTS:
        is_convolved = any(form.name == custom_ops.CONV_2D for form in forms.values())
        return {} if is_convolved else forms
    return forms


def _can_be_read_directly(constant):
    """Whether the ops between a constant and its consumers, if any, can be taken out."""
    # The note of a tensor tells the place of one chain.
    return not constant.chains or len(constant.chains) == len(constant.tensors)


def _is_better_fused(graph, op, constant):
    shape = graph.tensor(graph.output(op)).shape
    tensors = graph.model.subgraphs[op.subgraph].tensors
    num_scales = int8_ops.num_channel_scales(tensors, graph.operator(op))
    return int8_speed.is_better_fused(
        constant.values, [] if shape is None else shape, num_scales=num_scales
    )


def _placement(graph, constant, fusions):
    """`(Placement, chains)` of a constant that is not the weights of fused ops."""
    # A fused op reads its bias from a blob, too.
    is_bias = all(
        read.op in fusions and read.position == custom_ops.BIAS_INPUT for read in constant.consumers
    )
    if is_bias and _can_be_read_directly(constant):
        return Placement.FUSED, constant.chains
    chains = unpacking.replaceable(graph, constant.chains)
    return Placement.STANDS_IN if chains else Placement.DECODED, chains


class _Savings:
    """Decides whether a blob saves bytes; the first of each kind also carries the one-time
    overhead.
    """

    def __init__(self, min_saving):
        self._min_saving = min_saving
        self._once = {"decode": _FIRST_DECODE_BYTES, "note": _FIRST_NOTE_BYTES}
        self._has_small_blob = False

    def decide(self, constant, blob, placement, chains):
        """The Decision for a constant, to be coded with `placement` and `chains` if that pays."""
        has_form = constant.sparse_form is not None or constant.negative_zeros is not None
        is_noted = has_form or bool(chains)
        needs = {"decode": placement is not Placement.FUSED, "note": is_noted}
        has_decode = placement is Placement.DECODED
        coded = len(blob.content)
        is_small = coded <= MOST_BLOB_BYTES and len(constant.readers) == 1
        if has_decode:
            coded += _DECODE_OVERHEAD_BYTES
        elif is_small and self._has_small_blob and coded < constant.size_bytes:
            coded += _JOINING_OVERHEAD_BYTES
        else:
            coded += _FUSED_OVERHEAD_BYTES
        coded += _NOTE_OVERHEAD_BYTES if is_noted else 0
        if constant.negative_zeros is not None:
            coded += len(constant.negative_zeros[1]) // 4
        coded += sum(size for kind, size in self._once.items() if needs[kind])
        saving, least = constant.size_bytes - coded, self._min_saving * constant.size_bytes
        if saving > 0 and saving >= least:
            self._once = {kind: size for kind, size in self._once.items() if not needs[kind]}
            self._has_small_blob |= is_small
            return Decision(constant, blob, placement, chains=chains)
        asked = f", {least:.0f} to be saved" if least else ""
        reason = f"does not save enough: {coded} bytes against {constant.size_bytes}{asked}"
        return Decision(constant, blob, Placement.KEPT, reason)
