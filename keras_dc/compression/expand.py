"""The inverse of the lossless pass: blobs become constants again, bit for bit."""

import numpy as np

from keras_dc import codec
from keras_dc.compression import (
    custom_ops,
    flattening,
    int8_ops,
    negative_zeros,
    restore_metadata,
    unpacking,
)
from keras_dc.compression.constants import TYPE_OF, pack
from keras_dc.compression.report import MAX_DECODED_BYTES, check_declared_bytes
from keras_dc.errors import CodecError, CompressionError
from keras_dc.support import atomic_files
from keras_dc.support.file_bytes import FileBytes
from keras_dc.tflite import cleanup, dense_and_sparse, model_file
from keras_dc.tflite.graph import Graph, TensorRef, code_index, shape_of, tensor_name
from keras_dc.tflite.model_file import schema
from keras_dc.tflite.zip_tail import append_files, associated_files


def expand(compressed, *, filepath=None, max_bytes=MAX_DECODED_BYTES):
    """Undo `compress`: an ordinary TFLite model with the same constants, bit for bit.

    Args:
        compressed: bytes of a compressed `.tflite` model, or the path of a file.
        filepath: where to write the model, too; whole or not at all.
        max_bytes: int, how much the blobs may hold decoded: a small file may declare more
            than the memory holds.

    Returns:
        bytes of a `.tflite` model that needs no custom op.

    Raises:
        ModelFormatError: if `compressed` is not a TFLite model.
        CompressionError: if a blob is malformed or does not fit its operator, or the blobs
            declare more than `max_bytes`.
        FileNotFoundError, IsADirectoryError: if no file can be at `filepath`.
    """
    if filepath is not None:
        atomic_files.check_place(filepath)
    content = model_file.read(compressed)
    model = model_file.parse(content)
    try:
        notes = restore_metadata.take_notes(model)
    except ValueError as error:
        raise CompressionError(str(error)) from error
    files = associated_files(content)
    graph = Graph(model)
    _check_declared_bytes(graph, max_bytes)
    _Restorer(graph, notes).restore()
    model = model_file.detached(model)
    del content, graph  # the blobs, of which nothing is left in the model
    cleanup.drop_unused_codes(model)
    cleanup.drop_empty_buffers(model)
    expanded = append_files(model_file.serialize(model), files)
    if filepath is not None:
        atomic_files.write_atomically(filepath, expanded)
    return FileBytes(expanded, ".tflite")


def _check_declared_bytes(graph, max_bytes):
    infos, seen = [], set()
    for op, ref in custom_ops.blobs_of(graph):
        try:
            blob = custom_ops.stored_blob(graph, op, ref)
            if (blob.buffer, blob.place) not in seen:
                seen.add((blob.buffer, blob.place))
                infos.append(codec.inspect(blob.content))
                check_declared_bytes(infos, max_bytes)
        except CodecError as error:
            name = tensor_name(graph.tensor(ref)) or tensor_name(graph.tensor(graph.output(op)))
            raise CompressionError(f"{graph.op_name(op)}, tensor {name!r}: {error}") from error


class _Restorer:
    """Edits a compressed model. Each blob is decoded once, whoever reads it."""

    def __init__(self, graph, notes):
        self._graph = graph
        self._model = graph.model
        self._notes = notes
        self._decoded = {}
        # By buffer and place in a bundle, the buffer that a blob's values will have.
        self._buffers = {}
        # By buffer, the bytes that it will hold: blobs must stay until all are decoded.
        self._data = {}

    def restore(self):
        for place, subgraph in enumerate(self._model.subgraphs):
            kept, dropped, flattening_ops = [], set(), []
            for op in [op for op in self._graph.ops if op.subgraph == place]:
                operator = self._graph.operator(op)
                if self._graph.op_name(op) == custom_ops.FULLY_CONNECTED:
                    flattens = flattening.has_flag(operator.customOptions)
                    flattening_ops += [operator] if flattens else []
                blob, scales = self._restore_op(op)
                dropped.update(ref.tensor for ref in (blob, scales) if ref is not None)
                if blob is None:
                    kept.append(operator)
            subgraph.operators = kept
            _drop_blob_tensors(subgraph, dropped)
            for operator in flattening_ops:
                flattening.put_back(self._model, subgraph, operator)
        unpacking.put_back(self._model, self._notes)
        for index, data in self._data.items():
            self._model.buffers[index].data = data

    def _restore_op(self, op):
        """Undo one operator.

        Returns:
            tuple: the TensorRef of its blob if the operator is to go, else None; and the
            TensorRef of its scales, or None.
        """
        name, operator = self._graph.op_name(op), self._graph.operator(op)
        # All of them first: which place in a bundle is meant, the other blob tells.
        blobs = {
            ref: custom_ops.stored_blob(self._graph, op, ref)
            for ref in custom_ops.blob_inputs(self._graph, op)
        }
        if name == custom_ops.DECODE:
            stored = TensorRef(op.subgraph, int(operator.inputs[0]))
            note = self._notes.get(stored)
            if note is not None and note.replaced is not None:
                self._restore_replaced(op, stored, blobs.get(stored), note)
                return None, None
            output = self._graph.output(op)
            for blob in blobs.values():
                self._restore_constant(blob, output, name)
            return stored, None
        scales = custom_ops.scales_of(self._graph, op)
        for ref, blob in blobs.items():
            if ref != scales:
                self._restore_constant(blob, ref, name)
        if custom_ops.is_fused(name):
            self._restore_scales(op, scales, blobs.get(scales))
            code, options_type, options = custom_ops.builtin_form(name, operator.customOptions)
            operator.opcodeIndex = code_index(self._model, code)
            operator.builtinOptionsType = options_type
            operator.builtinOptions = options
            operator.customOptions = None
        return None, scales

    def _restore_scales(self, op, scales, blob):
        """Give int8 weights and bias back what `apply` took out of the graph."""
        operator = self._graph.operator(op)
        tensors = self._model.subgraphs[op.subgraph].tensors
        if scales is not None:
            weights = tensors[operator.inputs[custom_ops.WEIGHTS_INPUT]]
            int8_ops.put_back_weight_scales(weights, self._scales(op, scales, blob))
            int8_ops.remove_scales_input(operator)
        if int8_ops.has_flag(operator.customOptions, int8_ops.PLAIN_BIAS):
            int8_ops.put_back_bias_scales(tensors, operator)

    def _scales(self, op, scales, blob):
        tensor, name = self._graph.tensor(scales), self._graph.op_name(op)
        if blob is None:
            raise CompressionError(
                f"{name}: the scales must be a blob. Received: a tensor of type {tensor.type}"
            )
        values, dtype = self._decode(blob, tensor, name)
        if dtype != "float32":
            raise CompressionError(f"{name}: the scales must be float32. Received: {dtype}")
        # Nobody else reads them.
        self._data[blob.buffer] = None
        return values

    def _restore_constant(self, blob, target, name):
        """Give the tensor `target` the constant that a StoredBlob holds."""
        tensor = self._graph.tensor(target)
        values, dtype = self._decode(blob, tensor, name)
        if name == custom_ops.DECODE:
            _check_shape(tensor, values, name)
        tensor.buffer = self._buffer_of(blob)
        self._set(tensor, values, dtype, self._notes.get(target))

    def _restore_replaced(self, op, stored, blob, note):
        """Give the op that a KerasDcDecode stood in for, and its constant, back."""
        tensor, output = self._graph.tensor(stored), self._graph.tensor(self._graph.output(op))
        unpacking.make(self._model, self._graph.operator(op), note.replaced)
        if blob is None:
            # Restored already, for another such op.
            return
        values, dtype = self._decode(blob, output, custom_ops.DECODE)
        _check_shape(output, values, custom_ops.DECODE)
        tensor.buffer = self._buffer_of(blob)
        self._set(tensor, values, dtype, note)

    def _decode(self, blob, tensor, name):
        key = blob.buffer, blob.place
        if key not in self._decoded:
            try:
                info, values = codec.decode_with_info(blob.content)
                self._decoded[key] = values, info.dtype
            except CodecError as error:
                raise CompressionError(
                    f"{name}, tensor {tensor_name(tensor)!r}: {error}"
                ) from error
        return self._decoded[key]

    def _buffer_of(self, blob):
        """The buffer for the values of a StoredBlob: a new one for each blob of a bundle."""
        if blob.place is None:
            return blob.buffer
        key = blob.buffer, blob.place
        if key not in self._buffers:
            self._buffers[key] = len(self._model.buffers)
            self._model.buffers.append(schema.BufferT())
            self._data[blob.buffer] = None
        return self._buffers[key]

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
        if tensor.buffer not in self._data:
            self._data[tensor.buffer] = pack(values, dtype)


def _check_shape(tensor, values, name):
    shape = shape_of(tensor)
    if shape != values.shape:
        raise CompressionError(
            f"{name}, tensor {tensor_name(tensor)!r}: the blob must hold a tensor shaped {shape}. "
            f"Received: {values.shape}"
        )


def _drop_blob_tensors(subgraph, dropped):
    """Drop the blob tensors of the KerasDcDecode ops, which stand at the end."""
    for index in sorted(dropped, reverse=True):
        if index != len(subgraph.tensors) - 1:
            raise CompressionError(
                f"the blobs of {custom_ops.DECODE} must be the last tensors of their subgraph, as "
                f"`compress` writes them. Received: tensor {index} of {len(subgraph.tensors)}"
            )
        subgraph.tensors.pop()
