"""Weight sharing: a kernel is `codebook[index]`, and training moves the codebook.

Han et al. 2016, "Deep Compression", section 3: the indices stay, and the gradient of
a centroid is the sum of the gradients of its member weights.
"""

import keras
import numpy as np
from keras import ops

from keras_dc import clustering
from keras_dc.cloning import replace_layers, selected_layers
from keras_dc.lookup import lookup
from keras_dc.wrapping import KernelWrapper, find_biases

_register = keras.saving.register_keras_serializable("keras_dc")


def share_weights(
    model,
    num_clusters=32,
    *,
    num_bias_clusters=None,
    initialization="linear",
    rate_weight=0.0,
    seed=0,
    filters=None,
):
    """`model` with kernels of few distinct values, which training moves together.

    Each kernel is clustered by 1-D k-means of its non-zero weights; zeros stay zero.
    A pruned model may be given as it is: its masks end as zeros in the kernels.

    Args:
        model: a built `keras.Model`. Sequential and Functional models are copied
            with their weights; a subclassed model is changed in place.
        num_clusters: int in [1, 65535], values per kernel besides the zero.
        num_bias_clusters: None, or int in [1, 65535]: values per bias besides the
            zero, for the biases of the same layers. None leaves biases as they are.
            A bias of zeros stays one, so share biases after training.
        initialization: "linear", "density", "cube_root_density" or "forgy", see
            `keras_dc.clustering.initial_centroids`.
        rate_weight: float >= 0. If positive, clusters are chosen for few bits as
            well as for a small error: the squared error, in units of the kernel's
            mean square, that one bit of code length is worth. See
            `keras_dc.clustering.share`.
        seed: int, for "forgy".
        filters: None, a regular expression or a list of them searched in the names
            of the layers, or a callable `layer -> bool`: which layers to share.

    Returns:
        A `keras.Model`, to be compiled; it needs no callback.

    Raises:
        ValueError: if an argument is out of its range, no layer is selected, or a
            selected layer shares weights already.
    """
    _check_count("num_clusters", num_clusters)
    if num_bias_clusters is not None:
        _check_count("num_bias_clusters", num_bias_clusters)
    names = selected_layers(model, filters)

    def shared(layer):
        if layer.name not in names:
            return layer
        if isinstance(layer, SharedLayer):
            raise ValueError(
                "A layer that shares weights already must be stripped first. "
                f"Received: layer={layer}"
            )
        if isinstance(layer, KernelWrapper):
            layer = layer.stripped()
        wrapper = SharedLayer(layer, num_clusters, num_bias_clusters=num_bias_clusters)
        wrapper.cluster(initialization=initialization, rate_weight=rate_weight, seed=seed)
        return wrapper

    return replace_layers(model, shared)


@_register
class SharedLayer(KernelWrapper):
    """A layer that computes with `codebook[index]` in place of each kernel.

    Args:
        layer: a `keras.Layer` with a kernel.
        num_clusters: int, values per kernel besides the zero.
        num_bias_clusters: None, or int: values per bias besides the zero.

    Attributes:
        shared: list of `Weight`, the kernels and then the biases that are shared.
        codebooks: one float variable `(num_clusters,)` or `(num_bias_clusters,)` per
            shared weight, trained if the weight was.
        indices: one int32 variable per shared weight, shaped like it: 0 for zero, i
            for `codebook[i - 1]`.
    """

    def __init__(self, layer, num_clusters, *, num_bias_clusters=None, **kwargs):
        self.num_clusters = num_clusters
        self.num_bias_clusters = num_bias_clusters
        super().__init__(layer, **kwargs)

    def create_state(self):
        biases = [] if self.num_bias_clusters is None else find_biases(self.layer)
        # Past `__setattr__`, as the kernels themselves.
        vars(self)["shared"] = self.kernels + biases
        self.codebooks, self.indices = [], []
        for i, weight in enumerate(self.shared):
            is_kernel = i < len(self.kernels)
            codebook = self.add_weight(
                shape=(self.num_clusters if is_kernel else self.num_bias_clusters,),
                dtype=weight.variable.dtype,
                initializer="zeros",
                trainable=weight.variable.trainable,
                name=f"codebook_{i}",
            )
            # The codebook learns in its place.
            weight.variable.trainable = False
            index = self.add_weight(
                shape=weight.variable.shape,
                # tf.distribute cannot broadcast variables of smaller integers.
                dtype="int32",
                initializer="zeros",
                trainable=False,
                name=f"index_{i}",
            )
            self.codebooks.append(codebook)
            self.indices.append(index)

    def cluster(self, *, initialization, rate_weight, seed):
        """Set codebooks and indices from the weights; see `share_weights`."""
        for weight, codebook, index in zip(self.shared, self.codebooks, self.indices, strict=True):
            values, members = clustering.share(
                ops.convert_to_numpy(weight.variable),
                codebook.shape[0],
                initialization=initialization,
                rate_weight=rate_weight,
                seed=seed,
            )
            codebook.assign(values)
            index.assign(members)

    def derived(self):
        tensors = []
        for weight, codebook, index in zip(self.shared, self.codebooks, self.indices, strict=True):
            table = ops.concatenate([ops.zeros((1,), codebook.dtype), codebook])
            tensors.append(lookup(table, index.value))
            if weight.variable.regularizer is not None:
                # Keras regularises trainable variables only.
                self.add_loss(weight.variable.regularizer(tensors[-1]))
        return self.shared, tensors

    def stripped(self):
        """The wrapped layer with the shared values written into its weights."""
        for weight, codebook, index in zip(self.shared, self.codebooks, self.indices, strict=True):
            table = np.append(0.0, ops.convert_to_numpy(codebook)).astype(codebook.dtype)
            weight.variable.assign(table[ops.convert_to_numpy(index)])
            weight.variable.trainable = codebook.trainable
        return self.layer

    def get_config(self):
        return {
            **super().get_config(),
            "num_clusters": self.num_clusters,
            "num_bias_clusters": self.num_bias_clusters,
        }


def _check_count(name, count):
    if not 1 <= count <= 65535:
        raise ValueError(f"`{name}` must lie in [1, 65535]. Received: {name}={count}")
