"""`keras-dc inspect`."""

from typing import Any

import click

from keras_dc.cli import answers, files

_MEASURED = """
Shannon: the bytes that an ideal code takes if each weight is drawn alone from the tensor's own
distribution of values; below it is who finds a pattern in where the weights stand. zip: the
smaller of zlib -9 and xz -6e of the same values as an ordinary file holds them. form: whether
a layer is computed from words of four int8 weights or from single ones.""".strip()
_TERMS = """
kept%: weights that are coded one by one, mostly those that are not zero. clusters: distinct
values, besides zero. coding: of cluster indices and of gaps between kept weights; planes: floats
whose bytes are coded plane by plane; scales: a factor per channel. bytes, coded: of the tensor
before and now.""".strip()


@answers.command(
    "inspect",
    options=[
        click.argument("source", type=files.INPUT, metavar="FILE"),
        click.option(
            "--measured",
            is_flag=True,
            help="Decode the weights, too, and set the Shannon bound (the size of an ideal code "
            "of each weight by itself) and what zip makes of them beside; takes seconds.",
        ),
        click.option(
            "--original",
            type=files.INPUT,
            metavar="FILE",
            help="The .tflite file that was compressed, which knows the names of the tensors.",
        ),
    ],
)
def inspect(source, measured, original):
    """Tell what is in a .tflite or packed file.

    Of a compressed file: each coded tensor with its shape, density, clusters and bytes. Only
    headers are read, which takes a moment whatever the size; no TensorFlow, no runtime.

    Examples:
      keras-dc inspect small.tflite
      keras-dc inspect small.tflite --measured --original model.tflite
      keras-dc inspect small.tflite --json | jq '.tensors[].coded_bytes'
    """
    kind = files.kind_of(source)
    if kind in ("packed", "patch"):
        return _packed(source, kind)
    files.check_tflite(source)
    if kind == "tflite":
        return _plain(source)
    if original is not None:
        files.check_tflite(original)
    import keras_dc

    report = keras_dc.inspect(source, original=original)
    rows = [_values(row, measured) for row in report]
    values = {
        "file": str(source),
        "kind": kind,
        "size_bytes": source.stat().st_size,
        "tensors": rows,
    }
    explained = [_TERMS, _MEASURED] if measured else [_TERMS]
    return answers.Answer(values, [report.table(measured=measured), "", *explained])


def _values(row, measured):
    values = {
        "name": row.name,
        "op": row.op,
        "shape": list(row.shape),
        "dtype": row.blob.dtype,
        "density": row.density,
        "num_clusters": row.blob.num_centroids,
        "coding": row.coding,
        "original_bytes": row.original_bytes,
        "coded_bytes": row.blob_bytes,
    }
    if measured:
        values |= {
            "kept_fraction": row.kept_fraction,
            "shannon_bytes": row.shannon_bytes,
            "zip_bytes": row.zip_bytes,
            "form": row.form,
        }
    return values


def _plain(source):
    from keras_dc.tflite import model_file
    from keras_dc.tflite.graph import operator_name

    model = model_file.parse(source.read_bytes())
    size = source.stat().st_size
    subgraphs: list[dict[str, Any]] = [_summary(subgraph) for subgraph in model.subgraphs]
    ops = sorted({operator_name(code) for code in model.operatorCodes})
    weights = sum(0 if buffer.data is None else len(buffer.data) for buffer in model.buffers)
    values = {
        "file": str(source),
        "kind": "tflite",
        "size_bytes": size,
        "tensors": [],
        "constant_bytes": weights,
        "ops": ops,
        "subgraphs": subgraphs,
    }
    main: dict[str, Any] = (
        subgraphs[0] if subgraphs else {"inputs": [], "outputs": [], "num_ops": 0}
    )
    text = [
        f"{source} is an ordinary .tflite file of {answers.size(size)}: nothing in it is coded.",
        f"constants: {answers.size(weights)} in {main['num_ops']} ops: {', '.join(ops)}",
        *(f"input {_line(each)}" for each in main["inputs"]),
        *(f"output {_line(each)}" for each in main["outputs"]),
        f"`keras-dc explore {source}` shows what could be made of it.",
    ]
    return answers.Answer(values, text)


def _summary(subgraph):
    return {
        "inputs": [_tensor(subgraph, place) for place in subgraph.inputs],
        "outputs": [_tensor(subgraph, place) for place in subgraph.outputs],
        "num_ops": len(subgraph.operators),
    }


def _tensor(subgraph, place):
    from keras_dc.tflite.graph import tensor_name
    from keras_dc.tflite.model_file import schema

    tensor = subgraph.tensors[place]
    names = {value: name for name, value in vars(schema.TensorType).items() if name.isupper()}
    shape = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    return {
        "name": tensor_name(tensor),
        "shape": [] if shape is None else [int(size) for size in shape],
        "dtype": names.get(tensor.type, str(tensor.type)).lower(),
    }


def _line(tensor):
    shape = "x".join("?" if size < 0 else str(size) for size in tensor["shape"]) or "scalar"
    return f"{tensor['name']!r}: {tensor['dtype']} {shape}"


def _packed(source, kind):
    from keras_dc.codec import packs

    info = packs.info(source.read_bytes())
    size = source.stat().st_size
    values = {
        "file": str(source),
        "kind": kind,
        "size_bytes": size,
        "original_bytes": info.original_size,
        "base_bytes": info.base_size,
    }
    what = "patch" if kind == "patch" else "packed file"
    text = [f"{source} is a {what} of {answers.size(size)}."]
    text.append(f"`keras-dc unpack` makes {answers.size(info.original_size)} of it.")
    if info.base_size is not None:
        text.append(f"It needs its base, a file of {info.base_size:,} bytes.")
    return answers.Answer(values, text)
