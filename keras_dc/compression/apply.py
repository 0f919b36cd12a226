"""Edit a model's graph: constants to blobs with the ops that read them, and back."""

import numpy as np

from keras_dc import codec, errors
from keras_dc.compression import custom_ops, lifting, negative_zeros
from keras_dc.compression.constants import TYPE_OF, pack
from keras_dc.compression.restore_metadata import Note
from keras_dc.errors import CompressionError
from keras_dc.tflite import dense_and_sparse, model_file
from keras_dc.tflite.model_file import schema, tensor_name


def fuse(model, operator, form):
    """Turn a built-in operator into the fused one that computes the same.

    Args:
        model: `schema.ModelT`, changed in place.
        operator: `schema.OperatorT` of the model.
        form: `custom_ops.FusedForm`.
    """
    operator.opcodeIndex = _custom_code_index(model, form.name)
    operator.builtinOptionsType = schema.BuiltinOptions.NONE
    operator.builtinOptions = None
    options = np.frombuffer(form.custom_options, np.uint8)
    operator.customOptions = options if options.size else None


def place_blob(model, constant, *, is_fused, lifted=None):
    """Put a constant's blob in its place, and a KerasDcDecode where one is needed.

    Args:
        model: `schema.ModelT`, changed in place.
        constant: `constants.Constant` with its blob.
        is_fused: whether all its readers compute from the blob.
        lifted: `lifting.Lift` of the DENSIFY that read it, None if there was none.

    Returns:
        dict from `(subgraph index, tensor index)` to Note, empty if there is nothing
        to note.
    """
    model.buffers[constant.buffer].data = np.frombuffer(constant.blob, np.uint8)
    densify = [
        operator for operator, _ in constant.readers if custom_ops.is_densify(model, operator)
    ]
    described = [lifted.operator] if lifted else densify[:1]
    note = Note(
        constant.sparse_form,
        (_version(model, described[0]), described[0].builtinOptionsType) if described else None,
        constant.negative_zeros,
        (lifted.dense, lifted.position) if lifted else None,
    )
    for operator in densify:
        operator.opcodeIndex = _custom_code_index(model, custom_ops.DECODE)
        operator.builtinOptionsType = schema.BuiltinOptions.NONE
        operator.builtinOptions = None
    for subgraph, index in constant.tensors:
        tensor = model.subgraphs[subgraph].tensors[index]
        tensor.sparsity = None
        if is_fused or densify:
            _make_blob_tensor(tensor, constant)
    if not (is_fused or densify):
        _insert_decode(model, constant)
    return {} if note == Note() else dict.fromkeys(constant.tensors, note)


def restore(model, notes):
    """Turn blobs into constants again, and the ops that read them into what they were.

    Args:
        model: `schema.ModelT`, changed in place.
        notes: dict from `(subgraph index, tensor index)` to Note.

    Raises:
        CompressionError: if a blob is malformed or does not fit its operator.
    """
    restorer = _Restorer(model, notes)
    for subgraph_index, subgraph in enumerate(model.subgraphs):
        kept, dropped = [], set()
        for operator in subgraph.operators:
            name = model_file.operator_name(model.operatorCodes[operator.opcodeIndex])
            blob_inputs = custom_ops.blob_inputs(name, operator)
            place = subgraph_index, int(operator.inputs[0]) if len(operator.inputs) else -1
            if name == custom_ops.DECODE and place in notes and _has_stand_in(notes[place]):
                restorer.restore_densify(subgraph, operator, notes[place])
            elif name == custom_ops.DECODE:
                restorer.restore_input(subgraph_index, operator, 0, name)
                dropped.add(place[1])
                continue
            for position in blob_inputs if custom_ops.is_fused(name) else ():
                restorer.restore_input(subgraph_index, operator, position, name)
            if custom_ops.is_fused(name):
                _unfuse(model, operator, name)
            kept.append(operator)
        _drop_blob_tensors(subgraph, dropped)
        subgraph.operators = kept
    lifting.put_back(model, [_lift(model, place, notes[place]) for place in _lifted(notes)])
    for index, data in restorer.data.items():
        model.buffers[index].data = data


class _Restorer:
    """Decodes each blob once, whoever reads it.

    Attributes:
        data: dict from the index of a buffer to the bytes that it will hold.
    """

    def __init__(self, model, notes):
        self.data = {}
        self._model = model
        self._notes = notes
        self._decoded = {}

    def restore_input(self, subgraph_index, operator, position, name):
        """Turn one blob input back into the constant that it was made of."""
        subgraph, index = self._model.subgraphs[subgraph_index], operator.inputs[position]
        if index < 0 or subgraph.tensors[index].type != schema.TensorType.UINT8:
            return
        blob_tensor = subgraph.tensors[index]
        output = operator.outputs[0]
        tensor = subgraph.tensors[output] if name == custom_ops.DECODE else blob_tensor
        values, dtype = self._decode(blob_tensor.buffer, tensor, name)
        if name == custom_ops.DECODE:
            _check_shape(tensor, values, name)
        tensor.buffer = blob_tensor.buffer
        note = self._notes.get(
            (subgraph_index, int(output if name == custom_ops.DECODE else index))
        )
        self._set(tensor, values, dtype, note)

    def restore_densify(self, subgraph, operator, note):
        """Give a KerasDcDecode that stood in for a DENSIFY its op and constant back."""
        tensor, output = (
            subgraph.tensors[indices[0]] for indices in (operator.inputs, operator.outputs)
        )
        _make_densify(self._model, operator, note)
        if tensor.type != schema.TensorType.UINT8:
            # Restored already, for another DENSIFY.
            return
        values, dtype = self._decode(tensor.buffer, output, custom_ops.DECODE)
        _check_shape(output, values, custom_ops.DECODE)
        self._set(tensor, values, dtype, note)

    def _decode(self, buffer, tensor, name):
        if buffer not in self._decoded:
            data = self._model.buffers[buffer].data
            blob = b"" if data is None else data.tobytes()
            try:
                self._decoded[buffer] = codec.decode(blob), codec.inspect(blob).dtype
            except errors.CodecError as error:
                raise CompressionError(
                    f"{name}, tensor {tensor_name(tensor)!r}: {error}"
                ) from error
        return self._decoded[buffer]

    def _set(self, tensor, values, dtype, note):
        tensor.type = TYPE_OF[dtype]
        tensor.shape = np.array(values.shape, np.int32)
        try:
            if note is not None and note.negative_zeros is not None:
                values = negative_zeros.restored(values, *note.negative_zeros)
            if note is not None and note.form is not None:
                tensor.sparsity, values = dense_and_sparse.to_sparse(note.form, values)
        except ValueError as error:
            raise CompressionError(
                f"tensor {tensor_name(tensor)!r} must fit what is noted of it. Received: {error}"
            ) from error
        if tensor.buffer not in self.data:
            self.data[tensor.buffer] = pack(values, dtype)


def _has_stand_in(note):
    return note.densify is not None and note.lifted is None


def _lifted(notes):
    return [place for place, note in notes.items() if note.lifted is not None]


def _lift(model, place, note):
    """The DENSIFY that a note tells of, to be put back."""
    subgraph, stored = place
    dense, position = note.lifted
    in_range = 0 <= subgraph < len(model.subgraphs)
    num_tensors = len(model.subgraphs[subgraph].tensors) if in_range else 0
    if not (0 <= stored < num_tensors and 0 <= dense < num_tensors and position >= 0):
        raise CompressionError(
            f"a DENSIFY must be noted with tensors of its subgraph and a position. Received: "
            f"subgraph {subgraph}, tensors {stored} and {dense}, position {position}"
        )
    operator = schema.OperatorT(
        inputs=np.array([stored], np.int32), outputs=np.array([dense], np.int32)
    )
    _make_densify(model, operator, note)
    return lifting.Lift(subgraph, operator, position)


def _make_densify(model, operator, note):
    version, options_type = note.densify
    number = schema.BuiltinOperator.DENSIFY
    code = schema.OperatorCodeT(number, version=version, builtinCode=number)
    operator.opcodeIndex = _code_index(model, code)
    operator.builtinOptionsType = options_type
    has_options = options_type == schema.BuiltinOptions.DensifyOptions
    operator.builtinOptions = schema.DensifyOptionsT() if has_options else None


def _check_shape(tensor, values, name):
    shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
    if shape != values.shape:
        raise CompressionError(
            f"{name}, tensor {tensor_name(tensor)!r}: the blob must hold a tensor shaped {shape}. "
            f"Received: {values.shape}"
        )


def _unfuse(model, operator, name):
    code, options_type, options = custom_ops.builtin_form(name, operator.customOptions)
    operator.opcodeIndex = _code_index(model, code)
    operator.builtinOptionsType = options_type
    operator.builtinOptions = options
    operator.customOptions = None


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
            opcodeIndex=_custom_code_index(model, custom_ops.DECODE),
            inputs=np.array([len(subgraph.tensors) - 1], np.int32),
            outputs=np.array([tensor_index], np.int32),
        )
        place = next(
            place
            for place, operator in enumerate(subgraph.operators)
            if id(operator) in readers and tensor_index in operator.inputs
        )
        subgraph.operators.insert(place, decode)


def _drop_blob_tensors(subgraph, dropped):
    """Drop the blob tensors of the KerasDcDecode ops, which stand at the end."""
    for index in sorted(dropped, reverse=True):
        if index != len(subgraph.tensors) - 1:
            raise CompressionError(
                f"the blobs of {custom_ops.DECODE} must be the last tensors of their subgraph, as "
                f"`compress` writes them. Received: tensor {index} of {len(subgraph.tensors)}"
            )
        subgraph.tensors.pop()


def _version(model, operator):
    return model.operatorCodes[operator.opcodeIndex].version


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
