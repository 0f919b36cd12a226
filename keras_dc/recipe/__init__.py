"""One call for the paper's three stages: `keras_dc.deep_compress`."""
