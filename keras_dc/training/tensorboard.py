"""What TensorBoard shows of a model in compression: sparsities, masks, codebooks.

tensorboardX writes the event files, on every backend of Keras and without TensorFlow.
"""

import time

import keras
import numpy as np

from keras_dc.training.pruning import PrunedLayer
from keras_dc.training.weight_sharing import SharedLayer, entropy_bits_of
from keras_dc.wrapping.layer_tree import layers_of_class, named_layers
from keras_dc.wrapping.weights import host_array

HISTOGRAM_BINS = 64
LARGEST_SIDE = 512
# Time until TensorBoard can see what was written.
_FLUSH_SECS = 5


class CompressionTensorBoard(keras.callbacks.Callback):
    """Writes the state of each wrapped layer to TensorBoard after each epoch.

    Of a pruned layer `sparsity/<layer>`, the fraction of zeros, and for each kernel the image
    `mask/<kernel>`. Of a shared layer the same and `entropy_bits/<layer>`, the mean code
    length of its cluster indices, and for each shared weight the histogram
    `codebook/<weight>`. Needs `pip install keras-dc[tensorboard]`.

    Args:
        log_dir: str or path, the folder for the event files.
        images: bool, whether to write images of the masks.

    Raises:
        ImportError: if tensorboardX is not installed.
    """

    def __init__(self, log_dir, *, images=True):
        super().__init__()
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "CompressionTensorBoard needs tensorboardX: pip install keras-dc[tensorboard]"
            ) from error
        self.log_dir = str(log_dir)
        self.images = images
        self._new_writer = SummaryWriter
        self._writer = None

    def on_epoch_end(self, epoch, logs=None):
        if self._writer is None:
            # Made here, since a writer makes its file at once. The suffix keeps writers of
            # the same second from writing to the same file.
            suffix = f".{time.time_ns()}"
            self._writer = self._new_writer(
                self.log_dir, flush_secs=_FLUSH_SECS, filename_suffix=suffix
            )
        writer = self._writer
        # Of layers of one name each has tags of its own.
        names = {layer: name for name, layer in named_layers(self.model).items()}
        for layer in layers_of_class(self.model, PrunedLayer):
            tags = _Tags(layer, names)
            self._write_masks(writer, tags, layer.kernels, layer.current_masks(), epoch)
        for layer in layers_of_class(self.model, SharedLayer):
            tags = _Tags(layer, names)
            masks = [host_array(index) != 0 for index in layer.indices]
            self._write_masks(writer, tags, layer.shared, masks, epoch)
            writer.add_scalar(f"entropy_bits/{tags.name}", entropy_bits_of([layer]), epoch)
            for weight, table in zip(layer.shared, layer.tables(), strict=True):
                tag = f"codebook/{tags.of(weight)}"
                writer.add_histogram(tag, table[1:], epoch, bins=HISTOGRAM_BINS)

    def on_train_end(self, logs=None):
        if self._writer is not None:
            # `flush` would leave out what is still in the writer's queue.
            self._writer.close()
            self._writer = None

    def _write_masks(self, writer, tags, weights, masks, epoch):
        kept, size = sum(map(np.count_nonzero, masks)), sum(mask.size for mask in masks)
        writer.add_scalar(f"sparsity/{tags.name}", 1.0 - kept / size, epoch)
        if self.images:
            for weight, mask in zip(weights, masks, strict=True):
                tag = f"mask/{tags.of(weight)}"
                writer.add_image(tag, mask_image(mask), epoch, dataformats="HW")


class _Tags:
    """The names of a layer and of its weights, in a model with these names of layers."""

    def __init__(self, layer, names):
        self._own_name = layer.name
        self.name = names.get(layer, layer.name)

    def of(self, weight):
        return self.name + weight.name.removeprefix(self._own_name)


def mask_image(mask, *, largest_side=LARGEST_SIDE):
    """A mask as a picture: white where all weights are kept, black where none is.

    Args:
        mask: array `(..., width)` of 0 and 1; the other axes together are the height.
        largest_side: int, pixels; a larger mask is averaged over blocks.

    Returns:
        uint8 array `(height, width)`.
    """
    picture = np.asarray(mask, np.float64).reshape(-1, mask.shape[-1])
    for axis in (0, 1):
        size = picture.shape[axis]
        starts = np.arange(0, size, -(-size // largest_side))
        lengths = np.diff(starts, append=size)
        sums = np.add.reduceat(picture, starts, axis=axis)
        picture = sums / (lengths[:, None] if axis == 0 else lengths)
    return np.rint(255 * picture).astype(np.uint8)
