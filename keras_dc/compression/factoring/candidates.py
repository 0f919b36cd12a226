"""Candidate factors from a source model: its codebooks, and the scales of its BatchNorm.

`channel_scales` finds a codebook and its scales where each channel has many values. A
channel of a depthwise kernel has a few only; there the source model tells both.
"""

import dataclasses

import numpy as np

from keras_dc.compression.factoring.channel_scales import (
    MAX_CENTROIDS,
    Factors,
    with_negative_zeros,
)


@dataclasses.dataclass(frozen=True)
class CandidateFactors:
    """Factors that the float32 weights of a model may be products of.

    Attributes:
        codebooks: dict from the size of a kernel to the codebooks of the kernels of that
            size, list of float64 arrays of 1 to 256 centroids that are not zero.
        scales: dict from a number of channels to float64 arrays `(channels,)`.
    """

    codebooks: dict = dataclasses.field(default_factory=dict)
    scales: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, kernels, scales):
        """Collect the candidates of a model.

        Args:
            kernels: iterable of arrays.
            scales: iterable of arrays, the factors by which layers multiply their channels.

        Returns:
            CandidateFactors of those arrays that are float32.
        """
        found = cls()
        for kernel in kernels:
            distinct = np.unique(kernel[kernel != 0])
            if kernel.dtype == np.float32 and 1 <= distinct.size <= MAX_CENTROIDS:
                found.codebooks.setdefault(kernel.size, []).append(distinct.astype(np.float64))
        for scale in scales:
            if scale.dtype == np.float32:
                found.scales.setdefault(scale.size, []).append(scale.astype(np.float64))
        return found

    def factorings(self, values):
        """The pairs of a codebook and scales whose products are a tensor, bit for bit.

        Args:
            values: float32 array.

        Yields:
            tuples `(axis, Factors)`, the axis 0 or -1.
        """
        for axis in (0, -1) if values.ndim > 1 else ():
            channels = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
            for codebook in self.codebooks.get(values.size, ()):
                for scales in self.scales.get(len(channels), ()):
                    if _gives(channels, codebook, scales):
                        factors = with_negative_zeros(Factors(codebook, scales), values, axis)
                        if factors is not None:
                            yield axis, factors


def _gives(channels, codebook, scales):
    """Whether each weight is a centroid times the scale of its channel, in float32."""
    return all(
        np.isin(channel[channel != 0], (codebook * scale).astype(np.float32)).all()
        for channel, scale in zip(channels, scales)
    )
