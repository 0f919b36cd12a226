"""Anybody's `.tflite` files: read, write, compare, clean up."""
