"""Which constants are coded: those that pay, and which ops are fused for them."""

import dataclasses

from keras_dc import codec
from keras_dc.compression import custom_ops
from keras_dc.compression.constants import Constant

# What coding a constant adds to the flatbuffer around the blob: for a fused op its
# options, otherwise a tensor and an operator of their own; a note if it was sparse.
_FUSED_OVERHEAD_BYTES = 16
_DECODE_OVERHEAD_BYTES = 96
_NOTE_OVERHEAD_BYTES = 24
# And once for a model, with the first of its kind: an operator code; a metadata entry.
_FIRST_DECODE_BYTES = 64
_FIRST_NOTE_BYTES = 136


@dataclasses.dataclass(frozen=True)
class Choice:
    """What becomes of a constant.

    Attributes:
        constant: Constant.
        is_fused: whether all its readers compute from the blob.
        reason: str, why it stays as it is; "" if it is coded.
    """

    constant: Constant
    is_fused: bool
    reason: str


def fused_forms(model):
    """The fused form of each operator that has one, by the operator's identity."""
    forms = {}
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            form = custom_ops.fused_form(model, subgraph, operator)
            if form is not None:
                forms[id(operator)] = form
    return forms


def choose(model, constants, forms, *, min_saving):
    """Decide for each constant whether it is coded.

    Args:
        model: `schema.ModelT`.
        constants: list of Constant with their blobs.
        forms: dict that `fused_forms` gave.
        min_saving: float in [0, 1), the least fraction of a constant's bytes that coding
            it must save.

    Returns:
        tuple `(list of Choice, list of the operators that are fused)`; the choices are in
        the order of the constants.

    Raises:
        ValueError: if `min_saving` is out of range.
    """
    if not 0 <= min_saving < 1:
        raise ValueError(f"`min_saving` must lie in [0, 1). Received: min_saving={min_saving}")
    scales = _Scales(min_saving)
    choices, fused = {}, {}
    for constant in constants:
        if _reads_fused(constant, forms):
            choice = scales.weigh(constant, is_fused=True, needs_tensor=False)
            choices[constant.buffer] = choice
            if not choice.reason:
                fused.update((id(operator), operator) for operator, _ in constant.readers)
    for constant in constants:
        if constant.buffer not in choices:
            # A bias is read straight from its blob where its op is fused for the weights.
            is_fused = all(
                id(operator) in fused and position == custom_ops.BIAS_INPUT
                for operator, position in constant.readers
            )
            # A KerasDcDecode may take the place of each reader.
            takes_place = all(
                custom_ops.is_densify(model, operator) for operator, _ in constant.readers
            )
            choices[constant.buffer] = scales.weigh(
                constant, is_fused=is_fused, needs_tensor=not (is_fused or takes_place)
            )
    return [choices[constant.buffer] for constant in constants], list(fused.values())


def _reads_fused(constant, forms):
    density = codec.inspect(constant.blob).num_kept / constant.values.size
    return custom_ops.is_faster_fused(density) and all(
        id(operator) in forms and position == custom_ops.WEIGHTS_INPUT
        for operator, position in constant.readers
    )


def _needs_note(constant):
    return constant.sparse_form is not None or constant.negative_zeros is not None


class _Scales:
    """Weighs constants one by one; the first of a kind pays for what the model needs once."""

    def __init__(self, min_saving):
        self._min_saving = min_saving
        self._once = {"decode": _FIRST_DECODE_BYTES, "note": _FIRST_NOTE_BYTES}

    def weigh(self, constant, *, is_fused, needs_tensor):
        """Choice whether the constant's blob pays, with all that it adds to the file."""
        needs = {"decode": not is_fused, "note": _needs_note(constant)}
        coded = len(constant.blob)
        coded += _DECODE_OVERHEAD_BYTES if needs_tensor else _FUSED_OVERHEAD_BYTES
        coded += _NOTE_OVERHEAD_BYTES if needs["note"] else 0
        if constant.negative_zeros is not None:
            coded += len(constant.negative_zeros[1]) // 4
        coded += sum(size for kind, size in self._once.items() if needs[kind])
        saving, least = constant.size_bytes - coded, self._min_saving * constant.size_bytes
        if saving > 0 and saving >= least:
            self._once = {kind: size for kind, size in self._once.items() if not needs[kind]}
            return Choice(constant, is_fused, "")
        asked = f", {least:.0f} to be saved" if least else ""
        reason = f"does not save enough: {coded} bytes against {constant.size_bytes}{asked}"
        return Choice(constant, is_fused, reason)
