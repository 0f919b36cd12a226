"""The lossless pass over the constants of a TFLite model.

The pass knows nothing of training. It looks at the constants of a model, whoever made it,
and codes each one that becomes smaller: few distinct values, many zeros, or both.

    Source.of(bytes) ── plan ──> Plan of decisions ── apply ──> edited model ── write ──> bytes
"""

import dataclasses

from keras_dc import codec
from keras_dc.compression import custom_ops, int8_ops, negative_zeros
from keras_dc.compression.constants import Constant, LeftConstant, find_constants
from keras_dc.compression.decide import decide
from keras_dc.compression.encode import encode_all, encode_vector
from keras_dc.compression.float_weights import find_float_weights
from keras_dc.errors import CompressionError
from keras_dc.tflite import cleanup, diff, model_file
from keras_dc.tflite.graph import Graph
from keras_dc.tflite.zip_tail import append_files, associated_files


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to code; see `keras_dc.compress`.

    Raises:
        ValueError: if `coder` is unknown or `min_saving` is out of range.
    """

    coder: str = "huffman"
    strip_names: bool = True
    min_saving: float = 0.0

    def __post_init__(self):
        if self.coder not in codec.CODERS:
            raise ValueError(
                f"`coder` must be one of {codec.CODERS}. Received: coder={self.coder!r}"
            )
        if not 0 <= self.min_saving < 1:
            raise ValueError(
                f"`min_saving` must lie in [0, 1). Received: min_saving={self.min_saving}"
            )


@dataclasses.dataclass(frozen=True)
class Source:
    """A TFLite model and what the pass knows of it.

    Attributes:
        files: list of the files appended to the model, as `zip_tail.associated_files` gives them.
        graph: `tflite.graph.Graph` of the model.
        constants: tuple of Constant, those that can be coded.
        left: tuple of LeftConstant, those that cannot.
        float_weights: dict from the index of a buffer to FloatWeight.
    """

    files: list
    graph: Graph
    constants: tuple[Constant, ...]
    left: tuple[LeftConstant, ...]
    float_weights: dict

    @classmethod
    def of(cls, tflite):
        """Read and parse a model.

        Args:
            tflite: bytes of a `.tflite` model, or the path of a file.

        Returns:
            Source.

        Raises:
            ModelFormatError: if `tflite` is not a TFLite model, or a buffer contradicts its
                tensor.
        """
        content = model_file.read(tflite)
        graph = Graph(model_file.parse(content))
        constants, left = find_constants(graph)
        weights = find_float_weights(graph, constants)
        return cls(associated_files(content), graph, constants, left, weights)


def plan(source, settings, *, candidates=None):
    """Decide what becomes of each constant; nothing is changed.

    Args:
        source: Source.
        settings: Settings.
        candidates: CandidateFactors of the model that this one was converted from, or None.

    Returns:
        `decide.Plan`.
    """
    constants = [
        negative_zeros.dropped(constant, source.float_weights.get(constant.buffer))
        for constant in source.constants
    ]
    blobs = encode_all(constants, coder=settings.coder, candidates=candidates)
    decided = decide(source.graph, constants, blobs, min_saving=settings.min_saving)
    return dataclasses.replace(decided, scales=_scales(source.graph, decided, settings.coder))


def _scales(graph, decided, coder):
    """`Plan.scales`."""
    coded = {}
    for op, form in decided.fusions.items():
        weights = graph.inputs(op)[custom_ops.WEIGHTS_INPUT]
        scales = int8_ops.channel_scales(graph.tensor(weights)) if form.has_int8_weights else None
        if scales is not None and weights not in coded:
            coded[weights] = encode_vector(scales, coder=coder)
    return coded


def write(model, files, settings):
    """Write a model whose plan was carried out by `apply`.

    Args:
        model: `schema.ModelT`, which is changed; a large one gives its buffers away.
        files: list of the files to be appended, as Source has them.
        settings: Settings.

    Returns:
        bytes of the compressed `.tflite` model.

    Raises:
        CompressionError: if the bytes, read again, are another model: everything but the bytes
            of constants is compared.
    """
    cleanup.drop_unused_codes(model)
    if settings.strip_names:
        cleanup.strip_names(model)
    cleanup.drop_empty_buffers(model)
    graph = Graph(model)
    blobs = {graph.tensor(ref).buffer for _, ref in custom_ops.blobs_of(graph)}
    expected = diff.description(model, names=True, constants=False)
    content = model_file.serialize(model, unaligned_buffers=blobs)
    written = diff.description(model_file.parse(content), names=True, constants=False)
    found = diff.differences_of(expected, written)
    if found:
        raise CompressionError(
            "the file must say what was to be written; this is a fault of keras_dc. "
            f"Received: {'; '.join(found[:5])}"
        )
    return append_files(content, files)
