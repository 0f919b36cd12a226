"""The bytes of a file that say in a notebook what they are, and not all of themselves."""


class FileBytes(bytes):
    """Bytes of a file whose `repr` is a line, such as `<compressed .tflite, 7,424 bytes>`.

    In all else they are bytes: equal to them, hashed like them; slices, copies and pickles
    are plain bytes.

    Args:
        content: bytes-like.
        kind: str, what the file is.
    """

    kind: str

    def __new__(cls, content, kind):
        made = super().__new__(cls, content)
        made.kind = kind
        return made

    def __repr__(self):
        return f"<{self.kind}, {len(self):,} bytes>"

    __str__ = __repr__

    def __reduce_ex__(self, protocol):
        # Whoever reads the pickle need not have keras_dc.
        return bytes, (self[:],)
