"""Remove from a model what no operator reads."""

import collections

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
