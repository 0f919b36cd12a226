"""Small files and the parts that they are packed as: every kind of segment."""

import io
import zipfile

import numpy as np
from support import tiny_models
from support.tensors import sparse

from keras_dc import codec
from keras_dc.codec.packs import Part
from keras_dc.packing import parts

WEIGHTS = sparse((6, 10), density=0.4, num_centroids=5)
BLOB = codec.encode(WEIGHTS)


def golden_base():
    """A base of patches: a blob, the same weights dense, float16 ones, int4, and text."""
    halves = np.linspace(-1, 1, 40).astype(np.float16)
    return BLOB + WEIGHTS.tobytes() + halves.tobytes() + bytes(range(32)) + b"some text" * 4


def retrained(weights):
    """The same mask and indices, other centroids."""
    return np.where(weights != 0, weights * np.float32(1.25), 0).astype(np.float32)


def changed_indices(weights):
    """A few weights that have another of the values, or lost theirs."""
    made = retrained(weights).ravel().copy()
    values = np.unique(made[made != 0])
    made[[3, 17]] = values[0], 0
    return made.reshape(weights.shape)


def archive(*files, compression=zipfile.ZIP_STORED):
    """A ZIP archive of `(name, content)`."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        for name, content in files:
            # The date stays the same.
            opened.writestr(zipfile.ZipInfo(name), content, compress_type=compression)
    return made.getvalue()


def huffman(blob, inner, **options):
    """A Huffman-coded blob made of another one."""
    return Part("tensor", len(blob), blob=inner, is_huffman=True, **options)


def golden_cases(base):
    """By name `(original, parts, whether it is a patch)`."""
    words = np.tile(np.linspace(0, 1, 12, dtype=np.float32), 3)
    steps = np.cumsum(np.arange(1, 30) % 7).astype(np.uint16)
    int4 = np.array([[1, -8, 7], [0, 2, -1], [3, 3, 3]], np.int8)
    packed_int4 = bytes([0x81, 0x07, 0xF2, 0x33, 0x03])
    by_columns = codec.encode(sparse((40, 5), density=0.2, num_centroids=3, seed=4))
    new, other = retrained(WEIGHTS), changed_indices(WEIGHTS)
    dense, halves = len(BLOB), len(BLOB) + WEIGHTS.nbytes
    model = tiny_models.conv_net().serialize()
    bundle = archive(
        ("a.txt", b"text"), ("model.tflite", tiny_models.mlp(sizes=(8, 4)).serialize())
    )
    beside = {"source": "base", "base_offset": dense, "shape": WEIGHTS.shape}
    blob_beside = {"source": "base", "base_offset": 0, "base_blob_size": len(BLOB)}
    half_new = np.linspace(-1, 1, 40).astype(np.float16) + np.float16(0.01)
    half_old = np.frombuffer(base, np.float16, 40, halves)
    difference = (half_new.view(np.uint16) - half_old.view(np.uint16)).view(np.float16)
    return {
        "text": (b"the byte model, the byte model", [Part("bytes", 30)], False),
        "int8_rows": (bytes(range(40)) * 2, [Part("bytes", 80, "int8", 10)], False),
        "words": (words.tobytes(), [Part("bytes", words.nbytes, "words", 48)], False),
        "pairs": (bytes(range(64)), [Part("bytes", 64, "pairs", 16)], False),
        "tensor": (WEIGHTS.tobytes(), [Part("tensor", WEIGHTS.nbytes, blob=BLOB)], False),
        "int4": (packed_int4, [Part("tensor", 5, blob=codec.encode(int4, dtype="int4"))], False),
        "sums": (
            steps.tobytes(),
            [
                Part(
                    "tensor",
                    steps.nbytes,
                    blob=codec.encode(np.diff(steps, prepend=np.uint16(0)).view(np.float16)),
                    is_summed=True,
                )
            ],
            False,
        ),
        "huffman": (BLOB, [huffman(BLOB, codec.recode(BLOB))], False),
        "huffman_by_columns": (by_columns, [huffman(by_columns, codec.recode(by_columns))], False),
        "huffman_by_index": (BLOB, [huffman(BLOB, _index_blob(BLOB), is_by_index=True)], False),
        "origin": (
            b"abc" + model,
            [Part("bytes", 3), Part("origin", 0), Part("bytes", len(model))],
            False,
        ),
        "model": (model, parts.plain_parts(model), False),
        "bundle": (bundle, parts.plain_parts(bundle), False),
        "patch_copy": (base[7:60], [Part("copy", 53, base_offset=7)], True),
        "patch_bytes": (
            base[-36:-20] + b"other" + base[-15:],
            [Part("bytes", 36, base_offset=len(base) - 36)],
            True,
        ),
        "patch_retrained": (new.tobytes(), [Part("tensor", new.nbytes, **beside)], True),
        "patch_indices": (other.tobytes(), [Part("tensor", other.nbytes, **beside)], True),
        "patch_difference": (
            half_new.tobytes(),
            [
                Part(
                    "tensor",
                    half_new.nbytes,
                    source="difference",
                    base_offset=halves,
                    blob=codec.encode(difference),
                )
            ],
            True,
        ),
        "patch_huffman": (
            codec.encode(new),
            [Part("tensor", len(codec.encode(new)), is_huffman=True, **blob_beside)],
            True,
        ),
        "patch_huffman_indices": (
            codec.encode(other),
            [Part("tensor", len(codec.encode(other)), is_huffman=True, **blob_beside)],
            True,
        ),
    }


def _index_blob(blob):
    return codec.encode(parts.indices_of(blob, codec.inspect(blob)))
