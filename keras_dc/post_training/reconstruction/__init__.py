"""Make a `.tflite` file small so that its layers still compute what they did on some samples."""
