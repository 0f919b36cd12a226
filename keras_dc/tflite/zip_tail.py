"""The files that TFLite metadata appends to a model as a ZIP archive."""

import io
import zipfile


def associated_files(content):
    """Read the files that are appended to a TFLite model.

    Args:
        content: bytes of a `.tflite` file.

    Returns:
        list of `(zipfile.ZipInfo, bytes)`, empty if there is no archive.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(info, archive.read(info)) for info in archive.infolist()]


def append_files(content, files):
    """Append files to a TFLite model, each stored or deflated as it was.

    Args:
        content: bytes of a `.tflite` file without an archive.
        files: list that `associated_files` returned.

    Returns:
        bytes.
    """
    if not files:
        return content
    buffer = io.BytesIO(content)
    # Mode "a" begins an archive at the end of a file that has none.
    with zipfile.ZipFile(buffer, "a") as archive:
        for info, data in files:
            archive.writestr(info, data)
    return buffer.getvalue()
