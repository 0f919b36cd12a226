"""What the caller may fix of the recipe."""

import dataclasses
from typing import Any

import keras  # noqa: F401 (first: keras_dc registers its layers with it)
import numpy as np

from keras_dc.compression import lossless
from keras_dc.support.name_patterns import values_by_name
from keras_dc.wrapping.layer_selection import selected_layers
from keras_dc.wrapping.weights import find_kernels, host_array

ALLOCATIONS = (None, "global", "layers")
# Tried in this order, and taken one after another where too few clusters cost too much.
CLUSTERS = (8, 16, 32, 64, 128, 256)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Keywords of `deep_compress` with the same names; None lets the recipe choose."""

    allocation: str | None = None
    densities: Any = None
    num_clusters: Any = None
    num_bias_clusters: int | None = 8
    rate_weight: float = 0.01
    learning_rate: float | None = None
    sharing_learning_rate: float | None = None
    weight_decay: float | None = None
    filters: Any = None
    leave_out: str | None = None
    fold_batch_norm: bool = True
    remove_dead_units: bool = True
    rescale_dropout: bool = True
    float16_exact: bool = True
    coder: str = "arithmetic"
    input_signature: Any = None

    def check(self):
        """Raise ValueError for what no stage could use."""
        if self.allocation not in ALLOCATIONS:
            raise ValueError(
                f"`allocation` must be one of {ALLOCATIONS}. "
                f"Received: allocation={self.allocation!r}"
            )
        if self.densities is not None and self.allocation is not None:
            raise ValueError(
                "`densities` are an allocation already. Received: allocation="
                f"{self.allocation!r}, densities={self.densities}"
            )
        if not self.rate_weight >= 0.0:
            raise ValueError(
                f"`rate_weight` must be a number from 0. Received: rate_weight={self.rate_weight}"
            )
        lossless.Settings(self.coder, True, 0.0)

    def layers(self, model):
        """The layers that are pruned and shared: dict by name."""
        return selected_layers(model, self.filters, leave_out=self.leave_out)

    def kernels(self, model):
        """Their kernels, flat: dict of arrays by the name of the layer."""
        return {
            name: np.concatenate(
                [np.array(host_array(k.variable)).ravel() for k in find_kernels(layer)]
            )
            for name, layer in self.layers(model).items()
        }

    def given_densities(self, names):
        """The caller's densities by layer, None without: dict.

        Raises:
            ValueError: if one does not lie in (0, 1], or a pattern finds no layer.
        """
        if self.densities is None:
            return None
        found = values_by_name("densities", self.densities, names)
        for density in found.values():
            if not 0.0 < density <= 1.0:
                raise ValueError(
                    f"`densities` must lie in (0, 1]. Received: densities={self.densities}"
                )
        return {name: float(density) for name, density in found.items()}
