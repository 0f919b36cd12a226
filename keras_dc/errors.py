"""The errors of keras_dc, all under one base class.

Wrong arguments raise Python's own ValueError and TypeError, missing files the usual
OSError. What a file, a blob or a conversion can get wrong beyond that stands here.
"""


class KerasDcError(Exception):
    """Base class of the errors below."""


class ModelFormatError(KerasDcError, ValueError):
    """The bytes are not a TFLite model that can be edited."""


class CodecError(KerasDcError, ValueError):
    """The C library refused a tensor or a blob."""


class CompressionError(KerasDcError, ValueError):
    """A compressed model could not be expanded."""


class ConversionError(KerasDcError, RuntimeError):
    """TensorFlow's converter refused a model."""


class VerificationError(KerasDcError, RuntimeError):
    """A compressed model does not do what the original does."""
