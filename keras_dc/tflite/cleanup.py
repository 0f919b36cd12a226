"""Remove from a model what no operator reads."""

import collections

import numpy as np

# TensorFlow's converter writes these about itself. The minimum version of the runtime is
# that of the model before its ops were replaced.
_CONVERTER_METADATA = (b"CONVERSION_METADATA", b"min_runtime_version")
_CONVERTER_DESCRIPTION = b"MLIR Converted."


def drop_unused_codes(model):
    """Remove the operator codes that no operator has."""
    operators = [operator for subgraph in model.subgraphs for operator in subgraph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    renamed = {old: new for new, old in enumerate(used)}
    for operator in operators:
        operator.opcodeIndex = renamed[operator.opcodeIndex]
    model.operatorCodes = [model.operatorCodes[index] for index in used]


def drop_unused_tensors(model):
    """Remove the tensors that no operator, subgraph or signature names."""
    for place, subgraph in enumerate(model.subgraphs):
        holders = [subgraph, *subgraph.operators]
        entries = [
            entry
            for signature in model.signatureDefs or ()
            if signature.subgraphIndex == place
            for entry in (*(signature.inputs or ()), *(signature.outputs or ()))
        ]
        lists = [
            (holder, name)
            for holder in holders
            for name in ("inputs", "outputs", "intermediates")
            if getattr(holder, name, None) is not None
        ]
        used = {entry.tensorIndex for entry in entries}
        used.update(int(i) for holder, name in lists for i in getattr(holder, name) if i >= 0)
        renamed = {-1: -1} | {old: new for new, old in enumerate(sorted(used))}
        for holder, name in lists:
            indices = [renamed[int(index)] for index in getattr(holder, name)]
            setattr(holder, name, np.array(indices, np.int32))
        for entry in entries:
            entry.tensorIndex = renamed[entry.tensorIndex]
        subgraph.tensors = [subgraph.tensors[index] for index in sorted(used)]


def drop_empty_buffers(model):
    """Give all tensors without values buffer 0, which is empty by definition."""
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


def strip_names(model):
    """Remove the names of inner tensors and of subgraphs, and what TensorFlow's converter
    writes about itself.
    """
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
        subgraph.name = None
        for tensor_index, tensor in enumerate(subgraph.tensors):
            if tensor_index not in named[index]:
                tensor.name = None
