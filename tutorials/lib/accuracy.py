"""Test errors and outputs of classifiers, in Keras and in a TFLite interpreter."""

import numpy as np

import keras_dc as dc


def keras_error(model, data):
    """Test error of a Keras model in percent."""
    logits = model.predict(data.x_test, batch_size=1000, verbose=0)
    return 100 * float(np.mean(np.argmax(logits, axis=-1) != data.y_test))


def interpreter_error(interpreter, data):
    """Test error in percent of the model in a TFLite interpreter."""
    image = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(image, data.x_test.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(image, data.x_test)
    interpreter.invoke()
    logits = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return 100 * float(np.mean(np.argmax(logits, axis=-1) != data.y_test))


def outputs_of(tflite, inputs):
    """The outputs of a `.tflite` file of one input and one output, each input alone.

    Args:
        tflite: bytes of the file.
        inputs: float32 array `(n, ...)`.

    Returns:
        array `(n, ...)`.
    """
    interpreter = dc.Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]
    outputs = []
    for one in inputs:
        interpreter.set_tensor(source, one[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result)[0])
    return np.stack(outputs)
