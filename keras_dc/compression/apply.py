"""Carry out a plan: constants become blobs, and ops read them. The one place that edits."""

import collections

import numpy as np

from keras_dc.compression import (
    custom_ops,
    flattening,
    int8_ops,
    negative_zeros,
    restore_metadata,
    unpacking,
)
from keras_dc.compression.bundling import bundle
from keras_dc.compression.constants import pack
from keras_dc.compression.decide import Placement
from keras_dc.compression.restore_metadata import Note
from keras_dc.tflite import dense_and_sparse
from keras_dc.tflite.graph import code_index
from keras_dc.tflite.model_file import schema


def apply(graph, plan):
    """Edit the model of a graph as a plan says.

    Args:
        graph: `tflite.graph.Graph`; its model is changed, and the graph tells of it as it was.
        plan: `decide.Plan`.
    """
    flattened = flattening.take_out(graph, plan.fusions)
    scales = {}
    for op, form in plan.fusions.items():
        _fuse(graph, op, form, flattens=op in flattened)
        if form.has_int8_weights:
            _take_scales(graph, op, form, plan.scales, scales)
    edits = _OperatorEdits(graph.model)
    for reshape in flattened.values():
        edits.remove(reshape)
    notes = {}
    for decision in plan.decisions:
        if decision.placement is not Placement.KEPT:
            notes |= _place(graph, decision, edits)
        elif decision.constant.is_changed:
            _store(graph, decision.constant)
    edits.carry_out()
    bundle(graph.model)
    restore_metadata.write_notes(graph.model, notes)


class _OperatorEdits:
    """Operators to be inserted and removed, by their places before any edit."""

    def __init__(self, model):
        self._model = model
        self._inserted = collections.defaultdict(list)
        self._removed = set()

    def insert_before(self, op, operator):
        self._inserted[op].append(operator)

    def remove(self, op):
        self._removed.add(op)

    def carry_out(self):
        for place, subgraph in enumerate(self._model.subgraphs):
            operators = []
            for number, operator in enumerate(subgraph.operators):
                operators += self._inserted.get((place, number), [])
                operators += [] if (place, number) in self._removed else [operator]
            subgraph.operators = operators


def _fuse(graph, op, form, *, flattens):
    """Turn a built-in operator into the fused one that computes the same."""
    operator = graph.operator(op)
    operator.opcodeIndex = _custom_code_index(graph.model, form.name)
    operator.builtinOptionsType = schema.BuiltinOptions.NONE
    operator.builtinOptions = None
    options = np.frombuffer(form.custom_options, np.uint8)
    if flattens:
        options = flattening.with_flag(options)
    operator.customOptions = options if options.size else None


def _take_scales(graph, op, form, contents, added):
    """Take what int8 weights and bias have of scales out, and let the op read the former.

    `added` has the tensor of scales of each tensor of weights.
    """
    tensors, operator = graph.model.subgraphs[op.subgraph].tensors, graph.operator(op)
    if form.has_plain_bias:
        int8_ops.take_bias_scales(tensors, operator)
    weights = graph.inputs(op)[custom_ops.WEIGHTS_INPUT]
    if weights not in contents:
        return
    if weights not in added:
        added[weights] = _add_vector(graph, weights, contents[weights])
        int8_ops.take_weight_scales(graph.tensor(weights))
    int8_ops.add_scales_input(operator, added[weights])


def _add_vector(graph, weights, content):
    """A new tensor in the subgraph of some weights that holds a blob: its index."""
    model, tensors = graph.model, graph.model.subgraphs[weights.subgraph].tensors
    model.buffers.append(schema.BufferT(np.frombuffer(content, np.uint8)))
    blob = schema.TensorT(buffer=len(model.buffers) - 1, hasRank=graph.tensor(weights).hasRank)
    _make_blob_tensor(blob, content)
    tensors.append(blob)
    return len(tensors) - 1


def _place(graph, decision, edits):
    """Put a constant's blob in its place; a dict from TensorRef to the Note `expand` needs."""
    constant, placement = decision.constant, decision.placement
    model, content = graph.model, decision.blob.content
    model.buffers[constant.buffer].data = np.frombuffer(content, np.uint8)
    stands_in = placement is Placement.STANDS_IN
    steps = {}
    for chain in decision.chains:
        steps[chain.stored] = unpacking.steps_of(graph, chain, stands_in=stands_in)
        _shorten(graph, chain, edits, stands_in=stands_in)
    for ref in constant.tensors:
        tensor = graph.tensor(ref)
        tensor.sparsity = None
        if placement is Placement.DECODED:
            _insert_decode(graph, ref, content, edits)
        else:
            _make_blob_tensor(tensor, content)
    notes = {
        ref: Note(constant.sparse_form, constant.negative_zeros, steps.get(ref, ()))
        for ref in constant.tensors
    }
    return {ref: note for ref, note in notes.items() if note != Note()}


def _shorten(graph, chain, edits, *, stands_in):
    """Take the ops of a chain out; a KerasDcDecode stands in for the last one, or none does."""
    removed = chain.ops[:-1] if stands_in else chain.ops
    for op in removed:
        edits.remove(op)
    if stands_in:
        operator = graph.operator(chain.ops[-1])
        operator.opcodeIndex = _custom_code_index(graph.model, custom_ops.DECODE)
        operator.builtinOptionsType = schema.BuiltinOptions.NONE
        operator.builtinOptions = None
        operator.inputs = np.array([chain.stored.tensor], np.int32)
        return
    for read in graph.readers(chain.made):
        inputs = np.array(graph.operator(read.op).inputs, np.int32)
        inputs[read.position] = chain.stored.tensor
        graph.operator(read.op).inputs = inputs


def _make_blob_tensor(tensor, content):
    tensor.type = schema.TensorType.UINT8
    tensor.shape = np.array([len(content)], np.int32)


def _insert_decode(graph, ref, content, edits):
    """A KerasDcDecode before the first reader; its output is the tensor that was constant."""
    tensor, tensors = graph.tensor(ref), graph.model.subgraphs[ref.subgraph].tensors
    blob = schema.TensorT(buffer=tensor.buffer, hasRank=tensor.hasRank)
    _make_blob_tensor(blob, content)
    tensors.append(blob)
    tensor.buffer = 0
    decode = schema.OperatorT(
        opcodeIndex=_custom_code_index(graph.model, custom_ops.DECODE),
        inputs=np.array([len(tensors) - 1], np.int32),
        outputs=np.array([ref.tensor], np.int32),
    )
    edits.insert_before(min(read.op for read in graph.readers(ref)), decode)


def _store(graph, constant):
    """Put changed values, which are not coded, into their buffer."""
    values = constant.values
    if constant.negative_zeros is not None:
        values = negative_zeros.restored(values, *constant.negative_zeros)
    if constant.sparse_form is not None:
        tensor = graph.tensor(constant.tensors[0])
        tensor.sparsity, values = dense_and_sparse.to_sparse(constant.sparse_form, values)
    graph.model.buffers[constant.buffer].data = pack(values, constant.dtype)


def _custom_code_index(model, name):
    number = schema.BuiltinOperator.CUSTOM
    return code_index(model, schema.OperatorCodeT(number, name.encode(), builtinCode=number))
