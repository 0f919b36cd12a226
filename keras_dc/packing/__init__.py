"""Any `.tflite` file, or a ZIP archive of such, packed smaller than a zip, and back."""
