"""What a Keras model knows of its kernels: codebooks, and the scales of BatchNorm.

From the values alone a codebook and its scales are found where each channel has many
values. A depthwise kernel has a handful in each; but the model that it comes from has both.
"""

import dataclasses

import numpy as np

from keras_dc.compression.factoring.channel_scales import (
    MAX_CENTROIDS,
    Factors,
    with_negative_zeros,
)


@dataclasses.dataclass(frozen=True)
class KnownFactors:
    """Candidates for what the float32 kernels of a model are products of.

    Attributes:
        codebooks: dict from the number of weights of a kernel to the codebooks of the
            kernels of that size, list of float64 arrays of 1 to 256 centroids that are
            not zero.
        scales: dict from a number of channels to float64 arrays `(channels,)`.
    """

    codebooks: dict
    scales: dict

    def factorings(self, values):
        """Those candidates that give a tensor, bit for bit.

        Args:
            values: float32 array.

        Yields:
            tuples `(axis, channel_scales.Factors)`, the axis 0 or -1.
        """
        for axis in (0, -1) if values.ndim > 1 else ():
            channels = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
            for codebook in self.codebooks.get(values.size, ()):
                for scales in self.scales.get(len(channels), ()):
                    if _gives(channels, codebook, scales):
                        factors = with_negative_zeros(Factors(codebook, scales), values, axis)
                        if factors is not None:
                            yield axis, factors


def known_factors(kernels, scales):
    """Collect the candidates.

    Args:
        kernels: iterable of arrays, the kernels of a model.
        scales: iterable of arrays, the factors by which layers multiply their channels.

    Returns:
        KnownFactors, of what float32 holds.
    """
    known = KnownFactors({}, {})
    for kernel in kernels:
        distinct = np.unique(kernel[kernel != 0])
        if kernel.dtype == np.float32 and 1 <= distinct.size <= MAX_CENTROIDS:
            known.codebooks.setdefault(kernel.size, []).append(distinct.astype(np.float64))
    for scale in scales:
        if scale.dtype == np.float32:
            known.scales.setdefault(scale.size, []).append(scale.astype(np.float64))
    return known


def _gives(channels, codebook, scales):
    """Whether each weight is a centroid times the scale of its channel, in float32."""
    return all(
        np.isin(channel[channel != 0], (codebook * scale).astype(np.float32)).all()
        for channel, scale in zip(channels, scales)
    )
