"""Weight sharing: a kernel is `codebook[index]`, and training moves the codebook.

Han et al. 2016, "Deep Compression", section 3: the indices stay, and the gradient of a
centroid is the sum of the gradients of its weights. Optionally the weights go on learning
behind the codebook, and are assigned to centroids again on a schedule.
"""

import functools

import keras
import numpy as np
from keras import ops

from keras_dc.numerics import kmeans
from keras_dc.numerics.float16 import to_float16_exact
from keras_dc.support.name_patterns import values_by_name
from keras_dc.training import device_assignment
from keras_dc.training.schedules import Schedule, last_update_step
from keras_dc.wrapping.cloning import replace_layers
from keras_dc.wrapping.constraints import is_elementwise, keeps_zero
from keras_dc.wrapping.driven_layer import DrivenLayer, LayerDriver
from keras_dc.wrapping.gradients import lookup, rounded_to_float16
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_selection import layer_names, selected_layers, selected_name
from keras_dc.wrapping.layer_tree import layers_of_class, layers_within
from keras_dc.wrapping.sums_by_index import counts_by_index
from keras_dc.wrapping.train_steps import is_training
from keras_dc.wrapping.weights import find_biases, host_array, near_array

_OPTIONS = (
    "num_clusters", "num_bias_clusters", "rate_weight", "coder", "float16_exact",
    "reassign_frequency", "freeze_step",
)  # fmt: skip

# Arguments of TensorFlow Model Optimization, and what to say here.
_NAMES_OF_TFMOT = {
    "number_of_clusters": "it is `num_clusters` here, zero not counted",
    "cluster_centroids_init": "it is `initialization` here, such as 'linear' or 'kmeans++'",
    "preserve_sparsity": "zeros always stay zero here",
    "cluster_per_channel": "there is one codebook a kernel here",
    "cluster_gradient_aggregation": "gradients are always summed here",
}

_register = keras.saving.register_keras_serializable("keras_dc")


def share_weights(
    model,
    num_clusters=32,
    *,
    num_bias_clusters=None,
    initialization="linear",
    rate_weight=0.0,
    coder="huffman",
    float16_exact=False,
    reassign_frequency=None,
    freeze_step=None,
    seed=0,
    filters=None,
    leave_out=None,
    **unknown,
):
    """`model` with kernels of few distinct values, the centroids that training moves.

    Each kernel is clustered by 1-D k-means of its non-zero weights; zeros stay zero.
    A pruned model need not be stripped first: its pruned weights become zeros. Values of a model
    that was shared before stay as they are, if `num_clusters` is as large as then.

    Args:
        model: a built `keras.Model`. Sequential and Functional models are copied
            with all their state; a subclassed model is changed in place, and must be compiled
            anew. A kernel that several layers use has one codebook.
        num_clusters: int in [1, 65535], centroids per kernel, zero not counted. Or a
            dict from regular expressions to such ints: a layer gets the value of the
            first expression found in its name, and is left alone if none is. Or "paper":
            256 for convolutions, 32 for other layers (8 and 5 bits).
        num_bias_clusters: None, which leaves biases as they are, or int in [1, 65535],
            centroids per bias of the same layers, zero not counted. Zeros stay zero, so
            share biases after training.
        initialization: "linear", "density", "kmeans++" or "forgy", see
            `keras_dc.numerics.initial_centroids.initial_centroids`.
        rate_weight: float >= 0, the squared error that one bit of code length is worth,
            in units of the kernel's mean square. If positive, clusters are chosen for
            short codes as well as for a small error. See `keras_dc.numerics.kmeans.share`.
        coder: "huffman" or "arithmetic": for which of the coders of `convert` a re-assignment
            counts the bits of `rate_weight`. For "arithmetic" a kept weight also costs what
            tells its place: little in a full row or column, much where it is alone. It needs
            `rate_weight` and `reassign_frequency`.
        float16_exact: if True, the model computes with codebooks rounded to float16,
            while their float32 values are trained. A compressed file then stores the
            codebooks in half the bytes, without loss.
        reassign_frequency: None: each weight stays in its cluster. Or int >= 1: each
            weight goes on learning by its own gradient behind the codebook, and after
            every so many steps all weights are assigned to centroids again, by
            `rate_weight` with the current code lengths. Training then takes the memory
            and the time of training the kernel itself, and needs
            `WeightSharingCallback()`.
        freeze_step: int, the last step with a re-assignment, or None: no last one. Leave
            some training after it, a tenth say, for the codebook to settle.
        seed: int, for "kmeans++" and "forgy".
        filters: None, a regular expression or a list of them searched in the names
            of the layers, or a callable `layer -> bool`: which layers to share.
        leave_out: None, "first", "last" or "first_and_last": layers not to share.
        **unknown: none; names of TensorFlow Model Optimization are told by ours.

    Returns:
        A `keras.Model`, to be compiled. It needs no callback, unless
        `reassign_frequency` is given.

    Raises:
        TypeError: for an unknown argument; for those of TensorFlow Model Optimization it tells
            the name here.
        ValueError: if an argument is out of its range, no layer is selected, or a
            selected layer shares weights already, has LoRA, is quantized, writes its kernel
            itself or has a constraint that is not elementwise; elementwise constraints, such
            as NonNeg, hold on the codebook.
    """
    if unknown:
        name = next(iter(unknown))
        ours = _NAMES_OF_TFMOT.get(name, "see the signature")
        raise TypeError(f"`share_weights` has no argument {name!r}: {ours}. Received: {unknown}")
    layers = selected_layers(model, filters, leave_out=leave_out)
    if num_clusters == "paper":
        counts = {name: 256 if _convolves(layer) else 32 for name, layer in layers.items()}
    else:
        counts = values_by_name("num_clusters", num_clusters, layers, also=layer_names(layers))
    for count in counts.values():
        _check_count("num_clusters", count)

    def shared(layer):
        name = selected_name(layers, layer)
        if name not in counts:
            return layer
        if isinstance(layer, SharedLayer):
            raise ValueError(
                "A layer that shares weights already must be stripped first. "
                f"Received: layer={layer}"
            )
        if isinstance(layer, KernelWrapper):
            layer = layer.stripped()
        wrapper = SharedLayer(
            layer,
            counts[name],
            num_bias_clusters=num_bias_clusters,
            rate_weight=rate_weight,
            coder=coder,
            float16_exact=float16_exact,
            reassign_frequency=reassign_frequency,
            freeze_step=freeze_step,
        )
        wrapper.cluster(initialization=initialization, seed=seed)
        return wrapper

    return replace_layers(model, shared)


@_register
class SharedLayer(DrivenLayer):
    """A layer that computes with `codebook[index]` in place of each kernel.

    Args:
        layer: a `keras.Layer` with a kernel.
        num_clusters: int, centroids per kernel, zero not counted.
        num_bias_clusters, rate_weight, coder, float16_exact, reassign_frequency, freeze_step:
            see `share_weights`.

    Attributes:
        shared: list of `Weight`, the kernels and then the biases that are shared.
        codebooks: one float variable `(num_clusters,)` or `(num_bias_clusters,)` per
            shared weight, trained if the weight was.
        indices: one int32 variable per shared weight, shaped like it: 0 for zero, i
            for `codebook[i - 1]`.
    """

    driver_name = "WeightSharingCallback"

    def __init__(
        self,
        layer,
        num_clusters,
        *,
        num_bias_clusters=None,
        rate_weight=0.0,
        coder="huffman",
        float16_exact=False,
        reassign_frequency=None,
        freeze_step=None,
        **kwargs,
    ):
        _check_count("num_clusters", num_clusters)
        if num_bias_clusters is not None:
            _check_count("num_bias_clusters", num_bias_clusters)
        if coder not in ("huffman", "arithmetic"):
            raise ValueError(
                f"`coder` must be 'huffman' or 'arithmetic'. Received: coder={coder!r}"
            )
        if coder != "huffman" and not (rate_weight and reassign_frequency):
            raise ValueError(
                "`coder` tells what bits a re-assignment counts, so it needs `rate_weight` and "
                "`reassign_frequency`; that of the file is given to `convert`. Received: "
                f"coder={coder!r}, rate_weight={rate_weight}, "
                f"reassign_frequency={reassign_frequency}"
            )
        if reassign_frequency is not None and reassign_frequency < 1:
            raise ValueError(
                "`reassign_frequency` must be None or at least 1. Received: "
                f"reassign_frequency={reassign_frequency}"
            )
        if freeze_step is not None and freeze_step < (reassign_frequency or np.inf):
            raise ValueError(
                "`freeze_step` is for `reassign_frequency` only, and must not come before "
                f"the first re-assignment. Received: freeze_step={freeze_step}, "
                f"reassign_frequency={reassign_frequency}"
            )
        self.num_clusters = num_clusters
        self.num_bias_clusters = num_bias_clusters
        self.rate_weight = rate_weight
        self.coder = coder
        self.float16_exact = float16_exact
        self.reassign_frequency = reassign_frequency
        self.freeze_step = freeze_step
        super().__init__(layer, **kwargs)

    @property
    def needs_driver(self):
        return self.reassign_frequency is not None

    def create_state(self):
        if self.needs_driver:
            super().create_state()
        biases = [] if self.num_bias_clusters is None else self.owned(find_biases(self.layer))
        # Past `__setattr__`, as the kernels themselves.
        self.__dict__["shared"] = self.kernels + biases
        # `anchors` are the codebooks at the last assignment. What a centroid has moved
        # since then, its weights have moved with it.
        self.codebooks, self.indices, self.anchors = [], [], []
        for i, weight in enumerate(self.shared):
            variable = weight.variable
            size = self.num_clusters if i < len(self.kernels) else self.num_bias_clusters
            zeros = functools.partial(self.add_weight, initializer="zeros", trainable=False)
            if i >= len(self.kernels):
                self.check_constraint(weight)
            book = functools.partial(zeros, shape=(size,), dtype=variable.dtype)
            learns = functools.partial(book, constraint=variable.constraint)
            self.codebooks.append(learns(trainable=not weight.is_fixed, name=f"codebook_{i}"))
            self.codebooks[i].trainable = variable.trainable
            if self.needs_driver:
                self.anchors.append(book(name=f"anchor_{i}"))
            else:
                # The codebook learns in its place.
                variable.trainable = False
            # int32: tf.distribute cannot broadcast variables of smaller integers.
            index = zeros(shape=variable.shape, dtype="int32", name=f"index_{i}")
            self.indices.append(index)

    def check_constraint(self, weight):
        # The optimizer applies it to the codebook.
        constraint = weight.variable.constraint
        if constraint is None:
            return
        if not is_elementwise(constraint, len(weight.variable.shape)):
            raise ValueError(
                "A codebook cannot satisfy a constraint that looks at a whole weight, such as "
                "MaxNorm or UnitNorm: take it off (`layer.kernel_constraint = None; "
                "layer.kernel.constraint = None`), or leave the layer out by `filters`. "
                f"Received: {weight.name} with constraint={constraint}"
            )
        if not keeps_zero(constraint) and not np.all(host_array(weight.variable)):
            raise ValueError(
                "Zeros stay zero in a shared weight, which this constraint does not allow. "
                f"Received: {weight.name} with zeros and constraint={constraint}"
            )

    def replaced_for_good(self):
        return [] if self.needs_driver else [weight.variable for weight in self.shared]

    def check_call(self, training):
        super().check_call(training)
        are_trainable = any(variable.trainable for variable in self.replaced_for_good())
        if are_trainable and is_training(training):
            raise RuntimeError(
                f"Weights behind the codebooks of layer {self.name!r} are trainable, but they "
                "must not learn: set `trainable` of the model or of the layer itself, not of "
                "the layer inside it. Received: layer.layer.trainable=True"
            )

    def cluster(self, *, initialization, seed):
        """Set codebooks and indices from the weights; see `share_weights`."""
        for i, weight in enumerate(self.shared):
            codebook, index = kmeans.share(
                host_array(weight.variable),
                self.codebooks[i].shape[0],
                initialization=initialization,
                rate_weight=self.rate_weight,
                seed=seed,
            )
            self._set(i, codebook, index)

    def reassign(self):
        """Assign each weight to a centroid again; see `keras_dc.numerics.kmeans.reassign`."""
        options = {"rate_weight": self.rate_weight, "coder": self.coder}
        for i, weight in enumerate(self.shared):
            codebook = host_array(self.codebooks[i])
            moves = np.append(0.0, codebook - host_array(self.anchors[i])).astype(codebook.dtype)
            weights = near_array(weight.variable)
            if isinstance(weights, np.ndarray):
                index = host_array(self.indices[i])
                weights = weights + moves[index]
                index = kmeans.reassign(weights, codebook, index, **options)
                weights = np.where(index == 0, weights.dtype.type(0), weights)
            else:
                index = near_array(self.indices[i])
                weights = device_assignment.moved_weights(weights, moves, index)
                index = device_assignment.reassign(weights, codebook, index, **options)
                weights = device_assignment.without_zeros(weights, index)
            weight.variable.assign(weights)
            self._set(i, codebook, index)

    def _set(self, i, codebook, index):
        self.codebooks[i].assign(codebook)
        self.indices[i].assign(index)
        if self.anchors:
            self.anchors[i].assign(codebook)

    def next_update(self, step):
        if self.reassign_frequency is None:
            return None
        end_step = -1 if self.freeze_step is None else self.freeze_step
        frequency = self.reassign_frequency
        return last_update_step(Schedule(frequency, end_step, frequency=frequency), step)

    def derived(self):
        tensors = [self._tensor(i) for i in range(len(self.shared))]
        for weight, tensor in zip(self.shared, tensors, strict=True):
            if not self.needs_driver and weight.variable.regularizer is not None:
                # Keras regularizes trainable variables only.
                self.add_loss(weight.variable.regularizer(tensor))
        return self.shared, tensors

    def _tensor(self, i):
        codebook = self.codebooks[i]
        centroids = codebook.value
        if self.float16_exact:
            centroids = rounded_to_float16(centroids)
        tensor = lookup(centroids, self.indices[i].value)
        if self.needs_driver:
            live = self.shared[i].variable.value
            # Its value is exactly zero, its gradient that of the weight.
            tensor = tensor + (live - ops.stop_gradient(live))
        return tensor

    def replaced(self):
        return self.shared

    def tensor_for(self, variable):
        # Without the loss, which `derived` adds.
        return self._tensor([weight.variable is variable for weight in self.shared].index(True))

    def tables(self):
        """Zero and then the codebook of each shared weight: list of float arrays `(k + 1,)`."""
        tables = [np.append(0.0, host_array(book)).astype(book.dtype) for book in self.codebooks]
        if self.float16_exact:
            pairs = zip(tables, self.shared, strict=True)
            tables = [to_float16_exact(table, weight.name) for table, weight in pairs]
        return tables

    def stripped(self):
        """The wrapped layer with the shared values written into its weights."""
        for i, (weight, table) in enumerate(zip(self.shared, self.tables(), strict=True)):
            weight.variable.assign(table[host_array(self.indices[i])] + 0.0)  # -0.0 becomes 0.0
            weight.variable.trainable = self.codebooks[i].trainable
        return self.layer

    def options(self):
        return {name: getattr(self, name) for name in _OPTIONS}

    def get_config(self):
        return {**super().get_config(), **self.options()}


class WeightSharingCallback(LayerDriver):
    """Re-assigns the weights of a shared model on its schedule, by optimizer step.

    Adds `entropy_bits`, the mean code length of the cluster indices, to the logs of each
    epoch, also if the indices never change. In a training loop of your own, call
    `set_model(model)` before the loop and `on_train_batch_begin(0)` before each step. For
    its `step`, and for `stateless_call` on JAX, see `PruningCallback`.
    """

    layer_class = SharedLayer

    def update(self, layers, step):
        for layer in layers:
            layer.reassign()

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if logs is not None:
            logs["entropy_bits"] = entropy_bits_of(layers_of_class(self.model, SharedLayer))


def entropy_bits_of(layers):
    """Mean code length in bits of the cluster indices of `layers`, zeros included.

    Each shared weight has its own code, with lengths `-log2(frequency)`.
    """
    total_bits, size = 0.0, 0
    pairs = [pair for layer in layers for pair in zip(layer.indices, layer.codebooks, strict=True)]
    for index, codebook in pairs:
        values, num_symbols = near_array(index), codebook.shape[0] + 1
        if isinstance(values, np.ndarray):
            counts = np.bincount(values.ravel(), minlength=num_symbols)
        else:
            counts = ops.convert_to_numpy(counts_by_index(values, num_symbols))
        counts = counts[counts > 0]
        total_bits += float(counts @ kmeans.code_lengths_bits(counts))
        size += counts.sum()
    return total_bits / size


def _convolves(layer):
    """Whether a layer, or one inside it, is a convolution of Keras or a subclass."""
    classes = (cls for part in layers_within(layer) for cls in type(part).__mro__)
    return any("Conv" in cls.__name__ for cls in classes)


def _check_count(name, count):
    is_count = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
    if not is_count or not 1 <= count <= 65535:
        raise ValueError(f"`{name}` must be an int in [1, 65535]. Received: {name}={count!r}")
