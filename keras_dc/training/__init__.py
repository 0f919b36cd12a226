"""Pruning, weight sharing and what goes with them, in `model.fit`."""
