"""How pruning one layer at a time changes a metric (Han et al. 2015, section 3)."""

import dataclasses
import re

import keras

from keras_dc.numerics.masks import magnitude_mask
from keras_dc.support.text_columns import aligned
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_selection import selected_layers
from keras_dc.wrapping.weights import find_kernels

_SPARSITIES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)


def sensitivity(
    model,
    data,
    *,
    metric="loss",
    higher_is_better=False,
    sparsities=_SPARSITIES,
    batch_size=None,
    filters=None,
    leave_out=None,
    verbose="auto",
):
    """Measure `metric` with the kernels of one layer at a time pruned by magnitude.

    Nothing is trained. It takes one evaluation per layer and sparsity. The kernels of
    `model` change meanwhile, and have their values again at the end, also after an error.

    Args:
        model: a built and compiled `keras.Model`.
        data: (x, y) arrays, or any data that `model.evaluate` takes as its first
            argument and that can be read many times.
        metric: str, its name in the logs of `model.evaluate`.
        higher_is_better: bool, True for metrics like accuracy.
        sparsities: floats in [0, 1), fractions of zeros to try.
        batch_size: int or None, as `model.evaluate` takes it.
        filters: None, a regular expression or a list of them searched in the names
            of the layers, or a callable `layer -> bool`: which layers to try.
        leave_out: None, "first", "last" or "first_and_last": layers not to try.
        verbose: "auto" or 1 for a progress bar over the evaluations, 0 for none, 2 for a line
            at the end.

    Returns:
        `Sensitivity`, which prints as a table.

    Raises:
        ValueError: if the model has no such metric, an argument is out of its range,
            no layer is selected, or a selected layer is pruned or shared.
    """
    sparsities = tuple(sorted(float(sparsity) for sparsity in sparsities))
    if not sparsities or not 0.0 <= sparsities[0] <= sparsities[-1] < 1.0:
        raise ValueError(
            f"`sparsities` must be numbers in [0, 1). Received: sparsities={sparsities}"
        )
    layers = selected_layers(model, filters, leave_out=leave_out)
    for layer in layers.values():
        if isinstance(layer, KernelWrapper):
            raise ValueError(
                "A layer that is pruned or shared already must be stripped first. "
                f"Received: layer={layer}"
            )
    x, y = data if isinstance(data, (tuple, list)) else (data, None)

    def measure():
        logs = model.evaluate(x, y, batch_size=batch_size, verbose=0, return_dict=True)
        if metric not in logs:
            raise ValueError(
                f"`metric` must be one of {sorted(logs)}, or the model compiled with it. "
                f"Received: metric={metric!r}"
            )
        progress.add(1)
        return float(logs[metric])

    progress = keras.utils.Progbar(
        1 + len(layers) * len(sparsities),
        verbose=1 if verbose == "auto" else verbose,
        unit_name="evaluation",
    )
    return Sensitivity(
        metric=metric,
        higher_is_better=higher_is_better,
        sparsities=sparsities,
        baseline=measure(),
        values={name: _scan(layer, sparsities, measure) for name, layer in layers.items()},
    )


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """What `sensitivity` measured.

    Attributes:
        metric: str, the name of the metric.
        higher_is_better: bool.
        sparsities: tuple of floats, ascending, the fractions of zeros tried.
        baseline: float, the metric of the model before pruning.
        values: dict from the name of a layer to a tuple of floats, the metric at each of
            `sparsities`. Of layers of one name the names are paths: "sequential_1/dense".
    """

    metric: str
    higher_is_better: bool
    sparsities: tuple
    baseline: float
    values: dict

    def loss_of(self, name):
        """How much worse than the baseline a layer is at each sparsity: list of floats."""
        sign = 1.0 if self.higher_is_better else -1.0
        return [sign * (self.baseline - value) for value in self.values[name]]

    def targets(self, tolerance=None):
        """A sparsity for each layer, to start from in `keras_dc.prune`.

        It is the largest sparsity up to which no sparsity tried loses more than
        `tolerance`. A layer without such a sparsity is left out. With all layers pruned at
        once the losses add up; retraining reduces them.

        Args:
            tolerance: float >= 0, loss in units of the metric. None: 1 % of the baseline.

        Returns:
            Dict from `"^name$"` to float, which `keras_dc.prune` takes as its schedule.

        Raises:
            ValueError: if `tolerance` is negative, or no layer tolerates a sparsity.
        """
        if tolerance is None:
            tolerance = 0.01 * abs(self.baseline)
        if tolerance < 0.0:
            raise ValueError(f"`tolerance` must not be negative. Received: tolerance={tolerance}")
        targets = {}
        for name in self.values:
            for sparsity, loss in zip(self.sparsities, self.loss_of(name), strict=True):
                if not loss <= tolerance:
                    break
                targets[f"^{re.escape(name)}$"] = sparsity
        if not targets:
            raise ValueError(
                "No layer tolerates any of the sparsities tried: give a larger tolerance, "
                f"`targets(tolerance)`. Received: tolerance={tolerance}, sparsities="
                f"{self.sparsities}"
            )
        return targets

    def __str__(self):
        """A table in plain text, with a line for each layer and a column for each sparsity."""
        title, header, rows = self._cells()
        is_number = [False, *(True for _ in self.sparsities)]
        return "\n".join([title, *aligned([header, *rows], is_number)])

    def _cells(self):
        title = f"{self.metric}, {self.baseline:.4g} as it is"
        header = ["pruned layer", *(f"{sparsity:.0%}" for sparsity in self.sparsities)]
        rows = [[name, *(f"{v:.4g}" for v in values)] for name, values in self.values.items()]
        return title, header, rows

    def table(self):
        """A `rich.table.Table` with a line for each layer and a column for each sparsity."""
        import rich.table  # only needed here

        title, (first, *others), rows = self._cells()
        table = rich.table.Table(title=title)
        table.add_column(first)
        for column in others:
            table.add_column(column, justify="right")
        for row in rows:
            table.add_row(*row)
        return table

    def plot(self, axes=None):
        """Draw the metric of each layer against the sparsity, and return the axes.

        Args:
            axes: `matplotlib.axes.Axes`, or None for a new figure.
        """
        if axes is None:
            from matplotlib import pyplot  # of the extra `plot`

            axes = pyplot.figure().add_subplot()
        for name, values in self.values.items():
            axes.plot(self.sparsities, values, marker="o", label=name)
        axes.axhline(self.baseline, color="gray", linestyle=":", label="as it is")
        axes.set_xlabel("sparsity of the layer")
        axes.set_ylabel(self.metric)
        axes.legend()
        return axes


def _scan(layer, sparsities, measure):
    kernels = [kernel.variable for kernel in find_kernels(layer)]
    originals = [keras.ops.convert_to_numpy(kernel) for kernel in kernels]
    values = []
    try:
        for sparsity in sparsities:
            for kernel, original in zip(kernels, originals, strict=True):
                kernel.assign(original * magnitude_mask(original, sparsity))
            values.append(measure())
    finally:
        for kernel, original in zip(kernels, originals, strict=True):
            kernel.assign(original)
    return tuple(values)
