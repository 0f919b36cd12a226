"""Weights as a codebook times a scale per channel."""
