"""The constants of an ordinary `.tflite` file, by their place in the graph."""

from keras_dc.compression import custom_ops
from keras_dc.compression.constants import find_constants
from keras_dc.compression.expand import expand
from keras_dc.compression.tensor_names import Places, TensorNames
from keras_dc.tflite import model_file
from keras_dc.tflite.graph import Graph


def constants_by_place(tflite, *, max_bytes):
    """The constants that can be coded, by `CodedTensor.place`.

    Args:
        tflite: bytes of a `.tflite` file; a compressed one is expanded.
        max_bytes: int, see `expand`.

    Returns:
        dict from str to Constant.

    Raises:
        ModelFormatError: if `tflite` is not a TFLite model.
        CompressionError: if it is compressed, and a blob is malformed.
    """
    graph = Graph(model_file.parse(tflite))
    if custom_ops.blobs_of(graph):
        graph = Graph(model_file.parse(expand(tflite, max_bytes=max_bytes)))
    names, places = TensorNames({}, {}, {}), Places(graph)
    constants, _ = find_constants(graph)
    return {
        places.row_names(constant.tensors[0], constant.consumers, names).place: constant
        for constant in constants
    }
