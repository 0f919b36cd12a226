"""Models that parse and are wrong: one field or a few of a good model changed."""

import copy

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_INTEGERS = (-(2**31), -2, -1, 0, 1, 2, 3, 7, 127, 255, 2**15, 2**31 - 1)
_OPTIONS = [
    (number, getattr(schema, f"{name}T"))
    for name, number in vars(schema.BuiltinOptions).items()
    if hasattr(schema, f"{name}T")
]


def mutants(content, rng, count):
    """Yield `count` mutants of a model: bytes of `.tflite` files.

    Args:
        content: bytes of a good `.tflite` file.
        rng: `numpy.random.Generator`.
        count: int.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    made = 0
    while made < count:
        mutant = copy.deepcopy(model)
        for _ in range(rng.integers(1, 4)):
            _mutate(mutant, rng)
        try:
            builder = flatbuffers.Builder(1024)
            builder.Finish(mutant.Pack(builder), b"TFL3")
        except Exception:  # the flatbuffers package cannot write every one
            continue
        made += 1
        yield bytes(builder.Output())


def _mutate(model, rng):
    """Change one field of one table of a model."""
    table = _random_table(model, rng)
    if not vars(table):
        return
    name = rng.choice(sorted(vars(table)))
    setattr(table, name, _changed(getattr(table, name), table, str(name), rng))


def _random_table(model, rng):
    """A random table of a model: all kinds are equally likely."""
    subgraph = model.subgraphs[rng.integers(len(model.subgraphs))] if model.subgraphs else model
    kinds = [
        [model],
        [subgraph],
        model.buffers or [],
        model.operatorCodes or [],
        model.metadata or [],
        model.signatureDefs or [],
        getattr(subgraph, "tensors", None) or [],
        getattr(subgraph, "operators", None) or [],
    ]
    operators = kinds[-1]
    kinds.append([op.builtinOptions for op in operators if op.builtinOptions is not None])
    for name in ("sparsity", "quantization"):
        kinds.append([getattr(t, name) for t in kinds[6] if getattr(t, name, None) is not None])
    kinds.append([level for sparsity in kinds[-2] for level in sparsity.dimMetadata or []])
    kinds = [kind for kind in kinds if kind]
    kind = kinds[rng.integers(len(kinds))]
    return kind[rng.integers(len(kind))]


def _changed(value, table, name, rng):
    if name in ("builtinOptions", "builtinOptionsType"):
        number, options = _OPTIONS[rng.integers(len(_OPTIONS))]
        table.builtinOptionsType = number
        if name == "builtinOptionsType":
            table.builtinOptions = options()
            return number
        return options()
    if isinstance(value, (bool, np.bool_)):
        return not value
    if isinstance(value, (int, np.integer)):
        return int(rng.choice(_INTEGERS))
    if isinstance(value, np.ndarray) and value.size:
        return _changed_array(value, rng)
    if isinstance(value, list) and value:
        if rng.random() < 0.3:
            return None
        if rng.random() < 0.5:
            return value[: rng.integers(len(value) + 1)]
        return [*value, value[rng.integers(len(value))]]
    return None


def _changed_array(value, rng):
    kind = rng.integers(4)
    if kind == 0:
        return value[: rng.integers(value.size + 1)]
    if kind == 1:
        return np.append(value, value[:3])
    if kind == 2:
        return None
    value = value.copy()
    limits = np.iinfo(value.dtype) if value.dtype.kind in "iu" else None
    new = rng.choice(_INTEGERS)
    place = rng.integers(value.size)
    value[place] = new if limits is None else np.clip(new, limits.min, limits.max)
    return value
