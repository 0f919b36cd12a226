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
from keras_dc.wrapping import KernelWrapper

_register = keras.saving.register_keras_serializable("keras_dc")


def share_weights(
    model,
    num_clusters=32,
    *,
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
    if not 1 <= num_clusters <= 65535:
        raise ValueError(
            f"`num_clusters` must lie in [1, 65535]. Received: num_clusters={num_clusters}"
        )
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
        wrapper = SharedLayer(layer, num_clusters)
        wrapper.cluster(initialization=initialization, rate_weight=rate_weight, seed=seed)
        return wrapper

    return replace_layers(model, shared)


@_register
class SharedLayer(KernelWrapper):
    """A layer that computes with `codebook[index]` in place of each kernel.

    Args:
        layer: a `keras.Layer` with a kernel.
        num_clusters: int, values per kernel besides the zero.

    Attributes:
        codebooks: one float variable `(num_clusters,)` per kernel, trained.
        indices: one int32 variable per kernel, shaped like it: 0 for zero, i for
            `codebook[i - 1]`.
    """

    def __init__(self, layer, num_clusters, **kwargs):
        self.num_clusters = num_clusters
        super().__init__(layer, **kwargs)

    def create_state(self):
        self.codebooks, self.indices = [], []
        for i, kernel in enumerate(self.kernels):
            # The codebook learns in its place.
            kernel.variable.trainable = False
            codebook = self.add_weight(
                shape=(self.num_clusters,),
                dtype=kernel.variable.dtype,
                initializer="zeros",
                name=f"codebook_{i}",
            )
            index = self.add_weight(
                shape=kernel.variable.shape,
                # tf.distribute cannot broadcast variables of smaller integers.
                dtype="int32",
                initializer="zeros",
                trainable=False,
                name=f"index_{i}",
            )
            self.codebooks.append(codebook)
            self.indices.append(index)

    def cluster(self, *, initialization, rate_weight, seed):
        """Set codebooks and indices from the kernels; see `share_weights`."""
        for kernel, codebook, index in zip(self.kernels, self.codebooks, self.indices, strict=True):
            values, members = clustering.share(
                ops.convert_to_numpy(kernel.variable),
                self.num_clusters,
                initialization=initialization,
                rate_weight=rate_weight,
                seed=seed,
            )
            codebook.assign(values)
            index.assign(members)

    def derived(self):
        tensors = []
        for kernel, codebook, index in zip(self.kernels, self.codebooks, self.indices, strict=True):
            table = ops.concatenate([ops.zeros((1,), codebook.dtype), codebook])
            tensors.append(lookup(table, index.value))
            if kernel.variable.regularizer is not None:
                # Keras regularises trainable variables only.
                self.add_loss(kernel.variable.regularizer(tensors[-1]))
        return self.kernels, tensors

    def stripped(self):
        """The wrapped layer with the shared values written into its kernels."""
        for kernel, codebook, index in zip(self.kernels, self.codebooks, self.indices, strict=True):
            table = np.append(0.0, ops.convert_to_numpy(codebook)).astype(codebook.dtype)
            kernel.variable.assign(table[ops.convert_to_numpy(index)])
            kernel.variable.trainable = True
        return self.layer

    def get_config(self):
        return {**super().get_config(), "num_clusters": self.num_clusters}
