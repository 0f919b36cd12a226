"""Whether a layer is called for a training step of Keras that does not tell it so.

The `training` argument reaches a layer through the `call` of each model round it. One that
takes no such argument, or does not hand it on, leaves the layer with None: on TensorFlow and
Torch if the outermost `call` takes none, on JAX if any of them hands none on.
"""

import sys
import types

import keras

_WAYS_TO_CALL = ("__call__", "stateless_call")


def is_training(training):
    """Whether a layer that is called with this `training` argument is trained.

    Args:
        training: bool, or None where nobody told it.

    Returns:
        bool. With None it is True if a `train_step` calls its model at this moment: the Python
        stack tells, on which a compiled step stands while it is traced. Predictions, `evaluate`,
        gradients by the inputs and nets that a `train_step` calls beside its model do not count.
    """
    if training is not None:
        return bool(training)
    called = set()
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_name
        if name in _WAYS_TO_CALL or name == "train_step":
            owner = frame.f_locals.get("self")
            if isinstance(owner, keras.Model):
                if name != "train_step":
                    called.add(id(owner))
                elif id(owner) in called:
                    return True
        frame = frame.f_back
    return False
