"""The lossless pass: `.tflite` bytes to compressed `.tflite` bytes and back.

The pass knows nothing of training. It looks at the constants of a model, whoever
made it, and codes each one that becomes smaller: few distinct values, many zeros, or
both.
"""

import collections
import os

import numpy as np

from keras_dc import codec, ops, tflite_model
from keras_dc.associated_files import append_files, associated_files
from keras_dc.constants import TYPE_OF, encode_all, find_constants, pack
from keras_dc.tflite_model import schema, tensor_name

# What coding a constant adds to the flatbuffer around the blob: for a fused op its
# options, otherwise a tensor and an operator of their own.
_FUSED_OVERHEAD_BYTES = 16
_DECODE_OVERHEAD_BYTES = 96

# What TensorFlow's converter notes of itself. The least version of the runtime is that of
# the model before its ops were replaced.
_CONVERTER_METADATA = (b"CONVERSION_METADATA", b"min_runtime_version")
_CONVERTER_DESCRIPTION = b"MLIR Converted."


class CompressionError(ValueError):
    """A compressed model could not be expanded."""


def compress(tflite, *, coder="huffman", strip_names=True):
    """Code the constants of a TFLite model losslessly.

    `KerasDcFullyConnected` takes the place of float32 FULLY_CONNECTED ops and computes
    from the coded weights; other ops read their constant from a `KerasDcDecode`. What
    would not become smaller stays as it is.

    Args:
        tflite: bytes of a `.tflite` model, or the path of a file.
        coder: "huffman", or "arithmetic" for files that are some 5 % smaller where masks
            were trained, and that take some 10 ms per million weights to load.
        strip_names: drop the names of inner tensors and what TensorFlow's converter
            notes of itself; names of inputs, outputs and signatures always stay, and
            so does all other metadata.

    Returns:
        bytes of the compressed `.tflite` model; `Interpreter` runs it.

    Raises:
        ModelFormatError: if `tflite` is not a TFLite model, or a buffer contradicts its
            tensor.
        ValueError: if `coder` is unknown.
    """
    content = read(tflite)
    model = tflite_model.parse(content)
    forms = _fused_forms(model)
    constants = find_constants(model)
    encode_all(constants, coder=coder)
    coded, fused = _choose(constants, forms)
    for constant in coded:
        model.buffers[constant.buffer].data = np.frombuffer(constant.blob, np.uint8)
    for operator in fused:
        form = forms[id(operator)]
        operator.opcodeIndex = _custom_code_index(model, form.name)
        operator.builtinOptionsType = schema.BuiltinOptions.NONE
        operator.builtinOptions = None
        options = np.frombuffer(form.custom_options, np.uint8)
        operator.customOptions = options if options.size else None
    fused_ids = set(map(id, fused))
    for constant in coded:
        if all(id(operator) in fused_ids for operator, _ in constant.readers):
            for tensor in _tensors(model, constant):
                _make_blob_tensor(tensor, constant)
        else:
            _insert_decode(model, constant)
    _drop_unused_codes(model)
    if strip_names:
        _strip_names(model)
    _drop_empty_buffers(model)
    return append_files(_serialize(model), associated_files(content))


def expand(compressed):
    """Undo `compress`: an ordinary TFLite model with the same constants, bit for bit.

    Args:
        compressed: bytes of a compressed `.tflite` model, or the path of a file.

    Returns:
        bytes of a `.tflite` model that needs no custom op.

    Raises:
        ModelFormatError: if `compressed` is not a TFLite model.
        CompressionError: if a blob is malformed or does not fit its operator.
    """
    content = read(compressed)
    model = tflite_model.parse(content)
    decoded = {}
    for subgraph in model.subgraphs:
        kept = []
        for operator in subgraph.operators:
            name = tflite_model.operator_name(model.operatorCodes[operator.opcodeIndex])
            for position in ops.blob_inputs(name, operator):
                _restore_input(model, subgraph, operator, position, name, decoded)
            if ops.is_fused(name):
                code, options_type, options = ops.builtin_form(name, operator.customOptions)
                operator.opcodeIndex = _code_index(model, code)
                operator.builtinOptionsType = options_type
                operator.builtinOptions = options
                operator.customOptions = None
            if name != ops.DECODE:
                kept.append(operator)
        _drop_blob_tensors(model, subgraph, kept)
        subgraph.operators = kept
    for index, values in decoded.items():
        model.buffers[index].data = pack(*values)
    _drop_unused_codes(model)
    return append_files(_serialize(model), associated_files(content))


def blob_tensors(model):
    """Every blob in a model, with the operator that reads it.

    Args:
        model: `schema.ModelT`.

    Yields:
        tuples `(subgraph, operator, name of the op, tensor index)`.
    """
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            name = tflite_model.operator_name(model.operatorCodes[operator.opcodeIndex])
            for position in ops.blob_inputs(name, operator):
                index = operator.inputs[position]
                if index >= 0 and subgraph.tensors[index].type == schema.TensorType.UINT8:
                    yield subgraph, operator, name, index


def read(tflite):
    """Bytes of a model that is given as bytes or as the path of a file."""
    if isinstance(tflite, (str, os.PathLike)):
        with open(tflite, "rb") as file:
            return file.read()
    if isinstance(tflite, (bytes, bytearray, memoryview)):
        return bytes(tflite)
    raise TypeError(
        f"a TFLite model is given as bytes or as the path of a file. "
        f"Received: {type(tflite).__name__}"
    )


def _serialize(model):
    blobs = {subgraph.tensors[index].buffer for subgraph, _, _, index in blob_tensors(model)}
    return tflite_model.serialize(model, unaligned_buffers=blobs)


def _fused_forms(model):
    """The fused form of each operator that has one, by the operator's identity."""
    forms = {}
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            form = ops.fused_form(model, subgraph, operator)
            if form is not None:
                forms[id(operator)] = form
    return forms


def _choose(constants, forms):
    """The constants that are coded, and the operators that are fused for them."""
    coded, fused, later = [], {}, []
    for constant in constants:
        density = codec.inspect(constant.blob).num_kept / constant.values.size
        fusable = all(
            id(operator) in forms
            and position == ops.WEIGHTS_INPUT
            and ops.is_faster_fused(forms[id(operator)].name, constant.values.shape, density)
            for operator, position in constant.readers
        )
        overhead = _FUSED_OVERHEAD_BYTES if fusable else _DECODE_OVERHEAD_BYTES
        if not fusable:
            later.append(constant)
        elif len(constant.blob) + overhead < constant.size_bytes:
            coded.append(constant)
            fused.update((id(operator), operator) for operator, _ in constant.readers)
    for constant in later:
        # A bias is read straight from its blob where its op is fused for the weights.
        fusable = all(
            id(operator) in fused and position == ops.BIAS_INPUT
            for operator, position in constant.readers
        )
        overhead = _FUSED_OVERHEAD_BYTES if fusable else _DECODE_OVERHEAD_BYTES
        if len(constant.blob) + overhead < constant.size_bytes:
            coded.append(constant)
    return coded, list(fused.values())


def _tensors(model, constant):
    return [model.subgraphs[subgraph].tensors[tensor] for subgraph, tensor in constant.tensors]


def _make_blob_tensor(tensor, constant):
    tensor.type = schema.TensorType.UINT8
    tensor.shape = np.array([len(constant.blob)], np.int32)


def _insert_decode(model, constant):
    """A KerasDcDecode before the first reader; its output is the tensor that was constant."""
    readers = {id(operator) for operator, _ in constant.readers}
    for subgraph_index, tensor_index in constant.tensors:
        subgraph = model.subgraphs[subgraph_index]
        tensor = subgraph.tensors[tensor_index]
        blob = schema.TensorT(buffer=constant.buffer, hasRank=tensor.hasRank)
        _make_blob_tensor(blob, constant)
        subgraph.tensors.append(blob)
        tensor.buffer = 0
        decode = schema.OperatorT(
            opcodeIndex=_custom_code_index(model, ops.DECODE),
            inputs=np.array([len(subgraph.tensors) - 1], np.int32),
            outputs=np.array([tensor_index], np.int32),
        )
        place = next(
            place
            for place, operator in enumerate(subgraph.operators)
            if id(operator) in readers and tensor_index in operator.inputs
        )
        subgraph.operators.insert(place, decode)


def _restore_input(model, subgraph, operator, position, name, decoded):
    """Turn one blob input back into the constant that it was made of."""
    index = operator.inputs[position]
    if index < 0 or subgraph.tensors[index].type != schema.TensorType.UINT8:
        return
    blob_tensor = subgraph.tensors[index]
    tensor = subgraph.tensors[operator.outputs[0]] if name == ops.DECODE else blob_tensor
    buffer = blob_tensor.buffer
    if buffer not in decoded:
        data = model.buffers[buffer].data
        blob = b"" if data is None else data.tobytes()
        try:
            decoded[buffer] = codec.decode(blob), codec.inspect(blob).dtype
        except codec.CodecError as error:
            raise CompressionError(f"{name}, tensor {tensor_name(tensor)!r}: {error}") from error
    values, dtype = decoded[buffer]
    shape = () if tensor.shape is None else tuple(tensor.shape)
    if name == ops.DECODE and shape != values.shape:
        raise CompressionError(
            f"{name}, tensor {tensor_name(tensor)!r}: the blob must hold a tensor shaped {shape}. "
            f"Received: {values.shape}"
        )
    tensor.buffer = buffer
    tensor.type = TYPE_OF[dtype]
    tensor.shape = np.array(values.shape, np.int32)


def _drop_blob_tensors(model, subgraph, kept):
    """Drop the blob tensors of the KerasDcDecode ops, which stand at the end."""
    dropped = {
        int(operator.inputs[0])
        for operator in subgraph.operators
        if tflite_model.operator_name(model.operatorCodes[operator.opcodeIndex]) == ops.DECODE
    }
    for index in sorted(dropped, reverse=True):
        if index != len(subgraph.tensors) - 1:
            raise CompressionError(
                f"the blobs of {ops.DECODE} must be the last tensors of their subgraph, as "
                f"`compress` writes them. Received: tensor {index} of {len(subgraph.tensors)}"
            )
        subgraph.tensors.pop()


def _code_index(model, code):
    for index, known in enumerate(model.operatorCodes):
        if vars(known) == vars(code):
            return index
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _custom_code_index(model, name):
    number = schema.BuiltinOperator.CUSTOM
    code = schema.OperatorCodeT(number, name.encode(), builtinCode=number)
    return _code_index(model, code)


def _drop_unused_codes(model):
    operators = [operator for subgraph in model.subgraphs for operator in subgraph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    renamed = {old: new for new, old in enumerate(used)}
    for operator in operators:
        operator.opcodeIndex = renamed[operator.opcodeIndex]
    model.operatorCodes = [model.operatorCodes[index] for index in used]


def _drop_empty_buffers(model):
    """Let all tensors without values share buffer 0, which is empty by definition."""
    kept = [
        index
        for index, buffer in enumerate(model.buffers)
        if index == 0 or (buffer.data is not None and len(buffer.data))
    ]
    renamed = {old: new for new, old in enumerate(kept)}
    users = [tensor for subgraph in model.subgraphs for tensor in subgraph.tensors]
    for user in [*users, *(model.metadata or ())]:
        user.buffer = renamed.get(user.buffer, 0)
    model.buffers = [model.buffers[index] for index in kept]
    if model.metadataBuffer is not None:
        model.metadataBuffer = [renamed.get(int(index), 0) for index in model.metadataBuffer]


def _strip_names(model):
    kept = []
    for entry in model.metadata or ():
        if entry.name in _CONVERTER_METADATA:
            model.buffers[entry.buffer].data = None
        else:
            kept.append(entry)
    model.metadata = kept or None
    if model.description == _CONVERTER_DESCRIPTION:
        model.description = None
    named = collections.defaultdict(set)
    for index, subgraph in enumerate(model.subgraphs):
        named[index].update(map(int, [*subgraph.inputs, *subgraph.outputs]))
    for signature in model.signatureDefs or ():
        entries = [*(signature.inputs or ()), *(signature.outputs or ())]
        named[signature.subgraphIndex].update(entry.tensorIndex for entry in entries)
    for index, subgraph in enumerate(model.subgraphs):
        for tensor_index, tensor in enumerate(subgraph.tensors):
            if tensor_index not in named[index]:
                tensor.name = None
