"""How many bytes each layer gets: what a kernel takes at a density, and where a byte buys most."""

import dataclasses
import math
import re

import numpy as np

from keras_dc.numerics.entropy import ideal_bytes
from keras_dc.numerics.masks import global_magnitude_masks, magnitude_mask
from keras_dc.wrapping.layer_selection import selected_layers
from keras_dc.wrapping.weights import find_kernels, host_array

SPARSITIES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
# A trained mask has a pattern, which the coder learns.
_FIRST_FACTOR = 0.85
# Of the uniform code, once indices are chosen for short codes.
_INDEX_SHARE = 0.9
MIN_DENSITY = 0.001


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
        # A warm start has fewer non-zero weights; those pruned return by their share.
        masks = global_magnitude_masks(
            [_with_ties_broken(self.kernels[name]) for name in names],
            1.0 - max(density, 2 * MIN_DENSITY),
            min_density=MIN_DENSITY,
        )
        return {name: float(mask.mean()) for name, mask in zip(names, masks, strict=True)}

    def _by_layer(self, share, sizes):
        """Densities with `share` of the bytes that all kernels take without pruning."""
        whole = sum(sizes.kernel_bytes(name, 1.0) for name in self.kernels)
        return densities_by_byte(self.sensitivity, sizes, share * whole)


def densities_by_byte(sensitivity, sizes, kernel_bytes):
    """Densities that lose least by the scan, of kernels within `kernel_bytes` together.

    The bytes are taken, a step of the scan at a time, where the loss of the metric for each
    coded byte is least. Where the scan ends, all densities shrink alike.

    Args:
        sensitivity: `keras_dc.training.Sensitivity`.
        sizes: `CodedSizes`.
        kernel_bytes: float.

    Returns:
        dict from the name of a layer to its density.
    """
    sparsities = (0.0, *sensitivity.sparsities)
    steps = []
    for name in sensitivity.values:
        losses = np.maximum.accumulate([0.0, *_finite(sensitivity.loss_of(name))])
        sizes_bytes = [sizes.kernel_bytes(name, 1.0 - s) for s in sparsities]
        steps += _hull_steps(name, losses, sizes_bytes, sparsities)
    densities = dict.fromkeys(sensitivity.values, 1.0)
    for _, name, _, sparsity in sorted(steps):
        if _kernel_bytes(sizes, densities) <= kernel_bytes:
            return densities
        after = {**densities, name: 1.0 - sparsity}
        if _kernel_bytes(sizes, after) <= kernel_bytes:
            return _between(sizes, after, densities, kernel_bytes)
        densities = after
    floors = dict.fromkeys(densities, MIN_DENSITY)
    return _between(sizes, floors, densities, kernel_bytes)


def _between(sizes, small, large, kernel_bytes):
    """The densities on the way from `small` to `large` that just take `kernel_bytes`."""
    low, high = 0.0, 1.0
    for _ in range(30):
        share = (low + high) / 2
        found = {name: small[name] + share * (large[name] - small[name]) for name in small}
        if _kernel_bytes(sizes, found) <= kernel_bytes:
            low = share
        else:
            high = share
    return {name: small[name] + low * (large[name] - small[name]) for name in small}


def _kernel_bytes(sizes, densities):
    return sum(sizes.kernel_bytes(name, density) for name, density in densities.items())


def kernels_by_layer(model, filters, leave_out):
    """The kernels of the layers that are pruned, flat: dict of arrays by the name of the layer."""
    layers = selected_layers(model, filters, leave_out=leave_out)
    return {
        name: np.concatenate(
            [np.array(host_array(k.variable)).ravel() for k in find_kernels(layer)]
        )
        for name, layer in layers.items()
    }


def pattern_of(name):
    """The expression that finds the layer `name` alone."""
    return f"^{re.escape(name)}$"


def pruned_weight(weights, density):
    """A kernel without its smallest magnitudes."""
    return weights * magnitude_mask(weights, 1.0 - density)


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
    """Losses with infinities and NaN as the largest number."""
    return np.nan_to_num(np.asarray(losses, np.float64), nan=1e30, posinf=1e30)


def _with_ties_broken(kernel):
    magnitudes = np.abs(kernel)
    return np.maximum(magnitudes, 1e-30)
