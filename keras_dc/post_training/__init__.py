"""Prune and cluster a finished `.tflite` file."""
