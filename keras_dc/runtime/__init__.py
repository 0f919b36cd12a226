"""Run a compressed file in an installed TFLite runtime."""

from keras_dc.runtime.interpreter import Interpreter, available_runtimes

__all__ = ["Interpreter", "available_runtimes"]
