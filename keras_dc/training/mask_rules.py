"""Which weights a pruned kernel keeps: one class a rule, pure functions over arrays.

Magnitude: Han et al. 2015, "Learning both Weights and Connections". `StraightThrough`: Guo et
al. 2016, "Dynamic Network Surgery". `RigL`: Evci et al. 2020, "Rigging the Lottery".

A new rule is a class here, a row in `RULES`, and a keyword of `keras_dc.prune`.
"""

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np

from keras_dc.numerics import masks as host_masks
from keras_dc.numerics.place_bits import place_bits
from keras_dc.training import device_masks

# What the value of a kept weight takes in a file, about: 8 centroids or so, coded.
_VALUE_BITS = 2.5


@dataclasses.dataclass(frozen=True)
class Kernel:
    """What a rule knows of a kernel.

    Attributes:
        weights: float array, any shape; or a tensor on a GPU, if the rule is one
            that `takes_tensors`. The masks are of the same kind.
        mask: float array shaped like `weights`, the present mask: 1 = kept, 0 = pruned.
        input_axis: int, negative: the axis of `weights` that the layer sums over.
        present: like `mask`: what the forward pass keeps now, by the mask and by a threshold.
            None: the mask alone.
    """

    weights: Any
    mask: Any
    input_axis: int = -2
    present: Any = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Magnitude:
    """Keeps the largest magnitudes; the base class of the other rules.

    The fields are keywords of `keras_dc.prune`, where they are described.

    Class attributes:
        in_forward_pass: whether, until `freeze_step`, the forward pass compares the moving
            weights with a threshold, and no mask is set.
        all_learn: whether pruned weights get gradients too, and start at zero after each
            update.
        can_be_global: whether kernels can share a threshold.
        regrows: whether pruned weights can return. If not, no update opens a mask again.
        weighs_single_weights: whether a weight is kept for its own score, not for that of a
            block, say, so that the score can count bits.
    """

    global_threshold: bool = False
    min_density: float = 0.001
    rate_aware: bool = False
    freeze_step: int | None = None

    in_forward_pass: ClassVar[bool] = False
    all_learn: ClassVar[bool] = False
    can_be_global: ClassVar[bool] = True
    regrows: ClassVar[bool] = False
    weighs_single_weights: ClassVar[bool] = True

    def check(self, schedule):
        """Raise ValueError if a field is out of its range, or does not fit `schedule`."""
        if not 0.0 <= self.min_density <= 1.0:
            raise ValueError(
                f"`min_density` must lie in [0, 1]. Received: min_density={self.min_density}"
            )
        if self.regrows and self.freeze_step is None:
            raise ValueError(
                "`straight_through` and `regrow_fraction` need `freeze_step`: masks that move "
                "to the end of the training ruin it. Received: freeze_step=None"
            )
        if not self.regrows and self.freeze_step is not None:
            raise ValueError(
                "`freeze_step` is for `straight_through` and `regrow_fraction` only; else the "
                "end of the schedule freezes the masks. Received: "
                f"freeze_step={self.freeze_step}"
            )
        if self.regrows and self.freeze_step < schedule.end_step:
            raise ValueError(
                "`freeze_step` must not come before the end of the schedule. Received: "
                f"freeze_step={self.freeze_step}, end_step={schedule.end_step}"
            )
        if self.global_threshold and not self.can_be_global:
            keyword = dataclasses.fields(self)[-1].name
            raise ValueError(
                f"`{keyword}` keeps the same sparsity in each kernel. Received: "
                f"global_threshold={self.global_threshold}"
            )
        if self.rate_aware and not self.weighs_single_weights:
            keyword = dataclasses.fields(self)[-1].name
            raise ValueError(
                f"`rate_aware` weighs single weights, which `{keyword}` does not. Received: "
                f"rate_aware={self.rate_aware}"
            )

    def masks(self, kernels, sparsity, *, progress):
        """The new masks.

        Args:
            kernels: list of `Kernel`: one, or all that share a global threshold.
            sparsity: float in [0, 1), fraction of zeros.
            progress: float in [0, 1], how far training is between the begin of the schedule
                and `freeze_step`; 0 without `freeze_step`.

        Returns:
            List of float32 arrays of 0 and 1, shaped like the weights. What is 0 in a present
            mask stays 0, whatever is returned, unless `regrows`.
        """
        return self._keep_largest([self._scores(k, sparsity) for k in kernels], sparsity)

    def thresholds(self, kernels, masks, sparsity):
        """The magnitudes below which a moving weight is out, until the next update.

        Args:
            kernels: list of `Kernel`, as given to `masks`.
            masks: what that returned.
            sparsity: float in [0, 1), as given to it.

        Returns:
            List of float arrays, `()` or, with `rate_aware`, shaped like the weights.
        """
        found = []
        for kernel, mask in zip(kernels, masks, strict=True):
            if self.rate_aware:
                magnitudes = np.abs(kernel.weights)
                least = self._scores(kernel, sparsity)[mask > 0].min()
                least = least * self._units(kernel, sparsity)
                # The minimum, since rounding must not push the smallest kept weight out.
                found.append(np.where(mask > 0, np.minimum(least, magnitudes), least))
            else:
                found.append(functions_for(kernel.weights).least_kept(kernel.weights, mask))
        return found

    def _scores(self, kernel, sparsity):
        scores = _scores_by_magnitude(kernel)
        return scores / self._units(kernel, sparsity) if self.rate_aware else scores

    def _units(self, kernel, sparsity):
        """What magnitudes are divided by, so that the largest squares a bit stay: float32 array.

        The bits are those of the place, by how full row and column are now (or would be by
        magnitude alone, where nothing is pruned yet), and those of the value.
        """
        present = kernel.mask if kernel.present is None else kernel.present
        if np.all(present):
            present = host_masks.magnitude_mask(kernel.weights, sparsity)
        return np.sqrt(np.maximum(place_bits(present) + np.float32(_VALUE_BITS), 1.0))

    def _keep_largest(self, scores, sparsity):
        functions = functions_for(scores[0])
        if self.global_threshold:
            return functions.global_magnitude_masks(scores, sparsity, min_density=self.min_density)
        return [functions.magnitude_mask(score, sparsity) for score in scores]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blocks(Magnitude):
    """Keeps the blocks of the largest mean magnitude; the sparsity is that of blocks."""

    block_size: tuple[int, int]

    weighs_single_weights: ClassVar[bool] = False

    def __post_init__(self):
        # A list, if it comes from a file.
        object.__setattr__(self, "block_size", tuple(self.block_size))

    def check(self, schedule):
        super().check(schedule)
        if len(self.block_size) != 2 or min(self.block_size) < 1:
            raise ValueError(
                f"`block_size` must be two integers from 1. Received: block_size={self.block_size}"
            )

    def masks(self, kernels, sparsity, *, progress):
        functions, size = functions_for(kernels[0].weights), self.block_size
        scores = [functions.block_magnitudes(_scores_by_magnitude(k), size) for k in kernels]
        pairs = zip(self._keep_largest(scores, sparsity), kernels, strict=True)
        return [functions.expand_blocks(mask, size, tuple(k.weights.shape)) for mask, k in pairs]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Groups(Magnitude):
    """The N:M pattern: keeps the largest of each `group_size` weights along the input axis."""

    group_size: int

    can_be_global: ClassVar[bool] = False
    weighs_single_weights: ClassVar[bool] = False

    def check(self, schedule):
        super().check(schedule)
        if self.group_size < 1:
            raise ValueError(
                f"`group_size` must be at least 1. Received: group_size={self.group_size}"
            )

    def masks(self, kernels, sparsity, *, progress):
        group_mask, size = functions_for(kernels[0].weights).group_mask, self.group_size
        return [
            group_mask(_scores_by_magnitude(k), sparsity, group_size=size, axis=k.input_axis)
            for k in kernels
        ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StraightThrough(Magnitude):
    """Pruned weights go on learning and return once they are large enough."""

    straight_through: bool = True

    in_forward_pass: ClassVar[bool] = True
    regrows: ClassVar[bool] = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class RigL(Magnitude):
    """Drops a share of the kept weights by magnitude, and grows as many others."""

    regrow_fraction: float

    all_learn: ClassVar[bool] = True
    regrows: ClassVar[bool] = True
    can_be_global: ClassVar[bool] = False
    weighs_single_weights: ClassVar[bool] = False

    def check(self, schedule):
        super().check(schedule)
        if not 0.0 < self.regrow_fraction < 1.0:
            raise ValueError(
                "`regrow_fraction` must lie in (0, 1). Received: "
                f"regrow_fraction={self.regrow_fraction}"
            )

    def fraction_at(self, progress):
        """The share of new weights: half a cosine from `regrow_fraction` to 0."""
        return 0.5 * self.regrow_fraction * (1.0 + math.cos(math.pi * progress))

    def masks(self, kernels, sparsity, *, progress):
        fraction = self.fraction_at(progress)
        regrown_mask = functions_for(kernels[0].weights).regrown_mask
        return [regrown_mask(k.weights, k.mask, sparsity, fraction=fraction) for k in kernels]


def functions_for(values):
    """The module of functions for arrays on the host or for tensors: the same names in both."""
    return host_masks if isinstance(values, np.ndarray) else device_masks


def _scores_by_magnitude(kernel):
    return functions_for(kernel.weights).kept_magnitudes(kernel.weights, kernel.mask)


# By the keyword that asks for the rule.
RULES = {
    "block_size": Blocks,
    "group_size": Groups,
    "straight_through": StraightThrough,
    "regrow_fraction": RigL,
}


# Written for arrays and tensors alike. Any other rule is given NumPy arrays, on a GPU as well.
_OF_TENSORS = (Magnitude, Blocks, Groups, StraightThrough, RigL)


def takes_tensors(rule):
    """Whether `rule` works on tensors where they lie; any rule does on NumPy arrays.

    With `rate_aware` it does not: bits are counted on the host.
    """
    return type(rule) in _OF_TENSORS and not rule.rate_aware


def option_names():
    """The keywords of all rules: set of str."""
    return {
        field.name for rule in (Magnitude, *RULES.values()) for field in dataclasses.fields(rule)
    }


def rule_of(**options):
    """The rule that the keywords of `keras_dc.prune` ask for; None and False ask for nothing.

    Raises:
        ValueError: if they ask for two rules.
    """
    given = {name: v for name, v in options.items() if v is not None and v is not False}
    asked = [name for name in RULES if name in given]
    if len(asked) > 1:
        *names, last = (f"`{name}`" for name in RULES)
        raise ValueError(
            f"Only one of {', '.join(names)} and {last} can be used at a time. "
            f"Received: {', '.join(asked)}"
        )
    rule = RULES[asked[0]] if asked else Magnitude
    return rule(**given)


def options_of(rule):
    """The keywords that ask for `rule`, the inverse of `rule_of`: dict.

    Raises:
        ValueError: if there are none, since the rule has no row in `RULES`.
    """
    options = dataclasses.asdict(rule)
    if not options.keys() <= option_names() or rule_of(**options) != rule:
        raise ValueError(f"Only a rule in `RULES` can be saved. Received: rule={rule}")
    return options
