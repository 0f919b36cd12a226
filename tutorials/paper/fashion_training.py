"""How networks for Fashion-MNIST are trained, dense and small.

Images are mirrored and moved by up to two pixels: 50 views of each, so what a teacher says of all
of them is computed once, and a training step costs no more than without. All networks take
the way of `small_tasks`: pruning of the dense network with straight-through, rate-aware masks under
one global threshold; BatchNorm folded; dead units out; sharing with re-assignments.
"""

import dataclasses

import keras
import numpy as np
from keras import optimizers
from lib import fitting
from paper.fashion_networks import NETWORKS
from paper.mnist_training import with_dtype

import keras_dc as dc

MOST_PIXELS = 2
_SHIFTS = 2 * MOST_PIXELS + 1
NUM_VIEWS = 2 * _SHIFTS**2
# Steps from one update of masks, or of cluster indices, to the next.
UPDATE_FREQUENCY = 50
WARM_UP_STEPS = 400


@dataclasses.dataclass(frozen=True)
class Dense:
    """How dense networks are trained, which are the teachers, too.

    Attributes:
        epochs: int.
        learning_rate, weight_decay: floats, of AdamW; weights alone decay.
        batch_size: int.
        dtype: str, the policy of the training.
    """

    epochs: int = 40
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    batch_size: int = 256
    dtype: str = "mixed_bfloat16"


@dataclasses.dataclass(frozen=True)
class Small:
    """How a network is made small.

    Attributes:
        network: str, a key of `NETWORKS`.
        density: float, the share of the weights that is kept.
        depthwise_density: float, the same of depthwise kernels.
        num_clusters, num_bias_clusters, rate_weight: see `dc.share_weights`.
        epochs, sharing_epochs: ints, of the pruning and of the sharing.
        learning_rate, weight_decay: floats, of AdamW while the network is pruned.
        sharing_rate: float, the learning rate while weights are shared. Deep networks whose
            BatchNorm is folded do not bear 1e-3.
        ramp, freeze: floats, the shares of the pruning after which the sparsity has risen, and
            the masks stand still.
        sharing_freeze: float, the share of the sharing after which indices stand still.
        teachers: tuple of names of networks, whose dense forms of the same seed are heard
            beside the labels.
        temperature: float, see `dc.training.DistillationLoss`.
        batch_size: int.
        dtype: str, the policy of the training; the file is float32 in any case.
    """

    network: str
    density: float
    depthwise_density: float = 0.5
    num_clusters: int = 16
    num_bias_clusters: int = 16
    rate_weight: float = 0.01
    epochs: int = 50
    sharing_epochs: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    sharing_rate: float = 1e-4
    ramp: float = 0.5
    freeze: float = 0.7
    sharing_freeze: float = 0.6
    teachers: tuple = ("vgg", "mobilenet", "inception")
    temperature: float = 2.0
    batch_size: int = 256
    dtype: str = "mixed_bfloat16"


SMALL = {
    "vgg": Small(
        "vgg",
        0.0,
        epochs=100,
        sharing_epochs=18,
        learning_rate=1.5e-3,
        weight_decay=0.02,
        sharing_rate=3e-4,
    ),
    "mobilenet": Small(
        "mobilenet", 0.0, depthwise_density=0.9, epochs=45, learning_rate=1.5e-3, weight_decay=0.02
    ),
    "inception": Small("inception", 0.0),
}


class Views:
    """Images, mirrored or not and moved in 25 ways.

    Args:
        images: float32 array `(n, height, width)` in [0, 1].
    """

    def __init__(self, images):
        pad = ((0, 0), (MOST_PIXELS, MOST_PIXELS), (MOST_PIXELS, MOST_PIXELS))
        self._padded = np.pad(np.rint(255 * images).astype(np.uint8), pad)
        self.shape = images.shape

    def view(self, number, rows):
        """One view of the images of some rows: uint8 array `(rows, height, width)`."""
        is_mirrored, shift = divmod(number, _SHIFTS**2)
        y, x = divmod(shift, _SHIFTS)
        _, height, width = self.shape
        view = self._padded[rows, y : y + height, x : x + width]
        return view[:, :, ::-1] if is_mirrored else view

    def views(self, numbers):
        """A view of each image: uint8 array `(n, height, width)`.

        Args:
            numbers: int array `(n,)`, each below `NUM_VIEWS`.
        """
        made = np.empty(self.shape, np.uint8)
        for number in range(NUM_VIEWS):
            rows = np.flatnonzero(numbers == number)
            made[rows] = self.view(number, rows)
        return made


def as_input(images):
    """What networks take: float32 array `(n, height, width, 1)` in [0, 1] of a uint8 one."""
    return np.multiply(images[..., None], np.float32(1 / 255), dtype=np.float32)


class ViewBatches(keras.utils.PyDataset):
    """Batches of images, each image in another view each epoch.

    What is left over of an epoch waits for the next.

    Args:
        views: Views.
        labels: uint8 array `(n,)`.
        batch_size: int.
        seed: int.
        logits: float16 array `(NUM_VIEWS, n, classes)`, what teachers say of each view, or None.
    """

    def __init__(self, views, labels, batch_size, *, seed, logits=None):
        super().__init__()
        self._views, self._labels, self._logits = views, labels, logits
        self._batch_size = min(batch_size, len(labels))
        self._rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self):
        return len(self._labels) // self._batch_size

    def on_epoch_end(self):
        """Other views in another order in the next epoch."""
        count = len(self._labels)
        self._order = self._rng.permutation(count)
        numbers = self._rng.integers(0, NUM_VIEWS, count)
        self._images = self._views.views(numbers)
        self._targets = self._labels
        if self._logits is not None:
            logits = self._logits[numbers, np.arange(count)]
            self._targets = dc.training.distillation_targets(self._labels, logits)

    def __getitem__(self, number):
        rows = self._order[number * self._batch_size : (number + 1) * self._batch_size]
        return as_input(self._images[rows]), self._targets[rows]


def logits_of(model, views, *, batch_size=2000):
    """What a network says of each view: float16 array `(NUM_VIEWS, n, classes)`."""
    count = views.shape[0]
    logits = np.empty((NUM_VIEWS, count, model.output_shape[-1]), np.float16)
    for number in range(NUM_VIEWS):
        images = views.view(number, np.arange(count))
        for start in range(0, count, batch_size):
            part = slice(start, start + batch_size)
            logits[number, part] = model.predict_on_batch(as_input(images[part]))
    return logits


def fit(model, batches, epochs, rate, *, decay=None, loss=None, callbacks=()):
    """Compile a model and fit it; the learning rate falls along half a cosine.

    Args:
        model: `keras.Model` that gives logits.
        batches: `ViewBatches`, or another `PyDataset` with a length.
        epochs: int.
        rate: float, the highest learning rate.
        decay: float, of weights; None for Adam in place of AdamW.
        loss: None for the cross-entropy with labels.
        callbacks: list of Keras callbacks.
    """
    schedule = fitting.warm_up_cosine(rate, epochs * len(batches), WARM_UP_STEPS)
    if decay is None:
        optimizer = optimizers.Adam(schedule)
    else:
        optimizer = optimizers.AdamW(schedule, weight_decay=decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=fitting.steps_at_once(len(batches), UPDATE_FREQUENCY),
    )
    model.fit(batches, epochs=epochs, verbose=0, callbacks=list(callbacks))


def train_dense(network, settings, batches, *, seed):
    """A dense network, trained from random weights: plain float32 `keras.Model`."""
    keras.utils.set_random_seed(seed)
    model = with_dtype(NETWORKS[network](), settings.dtype)
    fit(model, batches, settings.epochs, settings.learning_rate, decay=settings.weight_decay)
    return with_dtype(model, "float32")


def make_small(dense, settings, batches, *, seed):
    """Prune and share a trained network.

    Args:
        dense: `keras.Model`, which stays as it is.
        settings: Small.
        batches: `ViewBatches` with the logits of the teachers, if there are any.
        seed: int, of dropout.

    Returns:
        Plain float32 `keras.Model` of few values, exact in float16.
    """
    keras.utils.set_random_seed(seed)
    loss = None
    if settings.teachers:
        loss = dc.training.DistillationLoss(temperature=settings.temperature)
    total = settings.epochs * len(batches)
    end_step = max(1, int(settings.ramp * total))

    densities = {"": settings.density}
    if has_depthwise(dense):
        densities = {"depthwise": settings.depthwise_density, **densities}
    frequency = min(UPDATE_FREQUENCY, end_step)
    pruned = dc.prune(
        with_dtype(dense, settings.dtype),
        {
            name: dc.PolynomialDecay(0.0, 1.0 - density, 0, end_step, frequency=frequency)
            for name, density in densities.items()
        },
        global_threshold=True,
        straight_through=True,
        rate_aware=True,
        freeze_step=max(end_step, int(settings.freeze * total)),
    )
    fit(
        pruned,
        batches,
        settings.epochs,
        settings.learning_rate,
        decay=settings.weight_decay,
        loss=loss,
        callbacks=[dc.PruningCallback()],
    )
    plain = with_dtype(dc.training.rescale_dropout(dc.strip(pruned)), "float32")
    small = dc.remove_dead_units(dc.training.fold_batch_norm(plain))
    total = settings.sharing_epochs * len(batches)
    frequency = min(UPDATE_FREQUENCY, total)
    shared = dc.share_weights(
        with_dtype(small, settings.dtype),
        settings.num_clusters,
        num_bias_clusters=settings.num_bias_clusters,
        rate_weight=settings.rate_weight,
        coder="arithmetic",
        reassign_frequency=frequency,
        freeze_step=max(frequency, int(settings.sharing_freeze * total)),
    )
    fit(
        shared,
        batches,
        settings.sharing_epochs,
        settings.sharing_rate,
        loss=loss,
        callbacks=[dc.WeightSharingCallback()],
    )
    return with_dtype(dc.strip(shared, float16_exact=True), "float32")


def has_depthwise(model):
    """Whether a network has depthwise convolutions."""
    return any(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in model.layers)
