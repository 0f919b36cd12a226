"""Small helpers that know nothing of weights: names, files, text."""
