"""How many bytes each layer gets: what a kernel takes at a density, and where a byte buys most."""

import dataclasses
import math
import re

import numpy as np

from keras_dc.numerics.entropy import ideal_bytes
from keras_dc.numerics.masks import global_magnitude_masks

SPARSITIES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
# A trained mask has a pattern, which the coder learns.
_FIRST_FACTOR = 0.75
# Of the uniform code, once indices are chosen for short codes.
_INDEX_SHARE = 0.9
MIN_DENSITY = 0.001
# Of the largest loss in a scan: beyond it a layer is broken, and more of it costs nothing.
_TELLING = 0.25
_LARGEST_BASE = 0.8


@dataclasses.dataclass(frozen=True)
class CodedSizes:
    """What kernels take in a file, by their densities.

    Attributes:
        num_weights: dict from the name of a layer to an int.
        num_clusters: int.
        factor: float, bytes in files made so far for each byte of the ideal code.
        other_bytes: int, what a file takes beside the kernels.
    """

    num_weights: dict
    num_clusters: int
    factor: float = _FIRST_FACTOR
    other_bytes: int = 0

    def kernel_bytes(self, name, density):
        """Of one layer: float."""
        size = self.num_weights[name]
        kept = max(1, round(density * size))
        index_bits = _INDEX_SHARE * math.log2(self.num_clusters + 1)
        ideal = ideal_bytes(size, np.array([kept])) + kept * index_bits / 8
        return self.factor * ideal + 2 * self.num_clusters

    def file_bytes(self, densities):
        """Of a file with these densities by layer: float."""
        return self.other_bytes + sum(self.kernel_bytes(n, d) for n, d in densities.items())

    def scaled(self, file_bytes, factor):
        """A file size with `factor` times the bytes of its kernels: float."""
        return self.other_bytes + factor * max(file_bytes - self.other_bytes, 0)

    def calibrated(self, densities, kernel_bytes, file_bytes):
        """The same with the factor and the rest of a file that was made with `densities`."""
        books = 2 * self.num_clusters * len(densities)
        ideal = sum(self.kernel_bytes(n, d) for n, d in densities.items()) - books
        factor = self.factor * max(kernel_bytes - books, 1) / max(ideal, 1)
        return dataclasses.replace(
            self, factor=min(max(factor, 0.3), 2.0), other_bytes=int(file_bytes - kernel_bytes)
        )


@dataclasses.dataclass(frozen=True)
class Allocation:
    """How the weights to keep are shared out among layers.

    Attributes:
        kind: "global": one threshold on all magnitudes; "layers": a density for each layer, from
            the sensitivity per coded byte; "given": densities of the caller's.
        kernels: dict from the name of a layer to its kernels, one flat array.
        sensitivity: `keras_dc.training.Sensitivity`, for "layers".
        given: dict from the name of a layer to its density, for "given".
    """

    kind: str
    kernels: dict
    sensitivity: object = None
    given: dict | None = None

    def densities(self, sizes, file_bytes):
        """The densities of the largest file within `file_bytes`: dict from layer to float."""
        if self.kind == "given":
            return dict(self.given or {})
        make = self._global if self.kind == "global" else self._by_layer
        low, high = MIN_DENSITY, 1.0
        for _ in range(20):
            middle = math.sqrt(low * high)
            if sizes.file_bytes(make(middle, sizes)) <= file_bytes:
                low = middle
            else:
                high = middle
        return make(low, sizes)

    def _global(self, density, sizes):
        names = list(self.kernels)
        total = sum(kernel.size for kernel in self.kernels.values())
        least = sum(max(4, 2 * MIN_DENSITY * kernel.size) for kernel in self.kernels.values())
        # A warm start has fewer non-zero weights; those pruned return by their share.
        masks = global_magnitude_masks(
            [_with_ties_broken(self.kernels[name]) for name in names],
            1.0 - max(density, least / total),
            min_density=MIN_DENSITY,
        )
        return {name: float(mask.mean()) for name, mask in zip(names, masks, strict=True)}

    def _by_layer(self, share, sizes):
        """Densities with `share` of the bytes that all kernels take without pruning."""
        whole = sum(sizes.kernel_bytes(name, 1.0) for name in self.kernels)
        return densities_by_byte(self.sensitivity, sizes, share * whole)


def densities_by_byte(sensitivity, sizes, kernel_bytes):
    """Densities that lose least by the scan, of kernels within `kernel_bytes` together.

    The bytes are taken, a step of the scan at a time, where the loss for each coded byte is
    least. The scan tells nothing once a layer has lost most of what there is to lose; from
    there on all densities are raised to one power, so that sparse layers become sparser and
    touchy ones stay dense.

    Args:
        sensitivity: `keras_dc.training.Sensitivity`.
        sizes: `CodedSizes`.
        kernel_bytes: float.

    Returns:
        dict from the name of a layer to its density.
    """
    sparsities = (0.0, *sensitivity.sparsities)
    limit = _TELLING * max(_finite(sensitivity.loss_of(n)).max() for n in sensitivity.values)
    steps = []
    for name in sensitivity.values:
        losses = np.maximum.accumulate([0.0, *_finite(sensitivity.loss_of(name))])
        losses = losses[losses <= limit]
        sizes_bytes = [sizes.kernel_bytes(name, 1.0 - s) for s, _ in zip(sparsities, losses)]
        steps += _hull_steps(name, losses, sizes_bytes, sparsities)
    densities = dict.fromkeys(sensitivity.values, 1.0)
    for _, name, _, sparsity in sorted(steps):
        if _kernel_bytes(sizes, densities) <= kernel_bytes:
            return densities
        before, after = densities, {**densities, name: 1.0 - sparsity}
        if _kernel_bytes(sizes, after) <= kernel_bytes:

            def way(share, name=name, after=after, before=before):
                return {**after, name: after[name] + share * (before[name] - after[name])}

            return _largest(sizes, way, kernel_bytes)
        densities = after
    starts = {name: min(density, _LARGEST_BASE) for name, density in densities.items()}

    def powers(share):
        return {name: max(MIN_DENSITY, d ** (1.0 / max(share, 1e-3))) for name, d in starts.items()}

    return _largest(sizes, powers, kernel_bytes)


def _largest(sizes, way, kernel_bytes):
    """`way(share)` with the largest share in [0, 1] that takes `kernel_bytes` at most."""
    low, high = 0.0, 1.0
    for _ in range(30):
        share = (low + high) / 2
        if _kernel_bytes(sizes, way(share)) <= kernel_bytes:
            low = share
        else:
            high = share
    return way(low)


def _kernel_bytes(sizes, densities):
    return sum(sizes.kernel_bytes(name, density) for name, density in densities.items())


def pattern_of(name):
    """The expression that finds the layer `name` alone."""
    return f"^{re.escape(name)}$"


def _hull_steps(name, losses, sizes_bytes, sparsities):
    """Steps from one point of the lower hull to the next: (loss a byte, name, order, sparsity).

    The losses a byte rise along the hull, so that steps sort into its order.
    """
    steps, at = [], 0
    while True:
        # Few zeros cost more in a file than they save.
        smaller = [i for i in range(at + 1, len(losses)) if sizes_bytes[i] < sizes_bytes[at]]
        if not smaller:
            return steps
        saved = {i: sizes_bytes[at] - sizes_bytes[i] for i in smaller}
        best = min(smaller, key=lambda i: ((losses[i] - losses[at]) / saved[i], -i))
        slope = float((losses[best] - losses[at]) / saved[best])
        steps.append((slope, name, best, sparsities[best]))
        at = best


def _finite(losses):
    """Losses with infinities and NaN as twice the largest of the others."""
    losses = np.asarray(losses, np.float64)
    largest = 2 * np.max(losses[np.isfinite(losses)], initial=0.0) + 1e-9
    return np.nan_to_num(losses, nan=largest, posinf=largest, neginf=0.0)


def _with_ties_broken(kernel):
    magnitudes = np.abs(kernel)
    return np.maximum(magnitudes, 1e-30)
