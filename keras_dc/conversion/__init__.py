"""A Keras model to a compressed `.tflite` file, verified."""
