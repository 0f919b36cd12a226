"""Pure functions over NumPy arrays: masks, 1-D k-means, entropy, float16."""
