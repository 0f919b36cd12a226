"""The lossless pass over the constants of a `.tflite` file, and its inverse."""
