"""What TensorBoard shows of a model in compression: sparsities, masks, codebooks.

The summaries are written by the tensorboard package itself, so that they are the same on
every backend of Keras.
"""

import struct
import time
import zlib

import keras
import numpy as np
from keras import ops

from keras_dc.training.pruning import PrunedLayer, sparsity_of
from keras_dc.training.weight_sharing import SharedLayer, entropy_bits_of
from keras_dc.wrapping.layer_tree import wrappers_of

HISTOGRAM_BINS = 64
LARGEST_SIDE = 512


class CompressionTensorBoard(keras.callbacks.Callback):
    """Writes, after each epoch, how sparse and how regular each wrapped layer is.

    For a pruned layer `sparsity/<layer>` and an image of each mask; for a shared one
    also `entropy_bits/<layer>`, and a histogram of the values in each codebook.
    Needs the tensorboard package: `pip install keras-dc[tensorboard]`.

    Args:
        log_dir: str or path, the folder of TensorBoard's event files.
        images: bool, whether to write images of the masks.

    Raises:
        ImportError: if tensorboard is not installed.
    """

    def __init__(self, log_dir, *, images=True):
        super().__init__()
        self.log_dir = str(log_dir)
        self.images = images
        self._events = _EventFile(self.log_dir)

    def on_epoch_end(self, epoch, logs=None):
        model = self.model
        for layer in wrappers_of(model, PrunedLayer):
            self._events.add_scalar(f"sparsity/{layer.name}", sparsity_of([layer]), epoch)
            masks = layer.current_masks()
            self._write_masks([kernel.name for kernel in layer.kernels], masks, epoch)
        for layer in wrappers_of(model, SharedLayer):
            masks = [ops.convert_to_numpy(index) != 0 for index in layer.indices]
            zeros = sum(np.count_nonzero(mask == 0) for mask in masks)
            sparsity = zeros / sum(mask.size for mask in masks)
            self._events.add_scalar(f"sparsity/{layer.name}", sparsity, epoch)
            self._events.add_scalar(f"entropy_bits/{layer.name}", entropy_bits_of([layer]), epoch)
            names = [weight.name for weight in layer.shared]
            self._write_masks(names, masks, epoch)
            for name, table in zip(names, layer.tables(), strict=True):
                self._events.add_histogram(f"codebook/{name}", table[1:], epoch)
        self._events.flush()

    def on_train_end(self, logs=None):
        self._events.flush()

    def _write_masks(self, names, masks, epoch):
        if self.images:
            for name, mask in zip(names, masks, strict=True):
                self._events.add_image(f"mask/{name}", mask_image(mask), epoch)


def mask_image(mask, *, largest_side=LARGEST_SIDE):
    """A mask as a picture: white where all weights are kept, black where none is.

    Args:
        mask: array of 0 and 1; its last axis is the picture's width, the others are its
            height.
        largest_side: int, pixels; a larger mask is averaged over blocks.

    Returns:
        uint8 array of two dimensions.
    """
    picture = np.asarray(mask, np.float64).reshape(-1, mask.shape[-1])
    for axis in (0, 1):
        size = picture.shape[axis]
        starts = np.arange(0, size, -(-size // largest_side))
        lengths = np.diff(starts, append=size)
        sums = np.add.reduceat(picture, starts, axis=axis)
        picture = sums / (lengths[:, None] if axis == 0 else lengths)
    return np.rint(255 * picture).astype(np.uint8)


def png(picture):
    """A grey picture, uint8 `(height, width)`, as a PNG file (RFC 2083): bytes."""
    height, width = picture.shape

    def chunk(kind, data):
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    # Eight bits a pixel, grey; each row begins with its filter, none.
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = picture
    data = zlib.compress(rows.tobytes())
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


class _EventFile:
    """A file of TensorBoard summaries, made when there is something to write."""

    def __init__(self, log_dir):
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer import event_file_writer
        except ImportError as error:
            raise ImportError(
                "CompressionTensorBoard needs tensorboard: pip install keras-dc[tensorboard]"
            ) from error
        self._event = event_pb2.Event
        self._summary = summary_pb2
        self._open = lambda: event_file_writer.EventFileWriter(log_dir)
        self._writer = None

    def add_scalar(self, tag, value, step):
        self._add(step, tag=tag, simple_value=float(value))

    def add_image(self, tag, picture, step):
        height, width = picture.shape
        image = self._summary.Summary.Image(
            height=height, width=width, colorspace=1, encoded_image_string=png(picture)
        )
        self._add(step, tag=tag, image=image)

    def add_histogram(self, tag, values, step):
        values = np.asarray(values, np.float64)
        counts, edges = np.histogram(values, bins=HISTOGRAM_BINS)
        histogram = self._summary.HistogramProto(
            min=values.min(),
            max=values.max(),
            num=values.size,
            sum=values.sum(),
            sum_squares=np.square(values).sum(),
            bucket_limit=edges[1:].tolist(),
            bucket=counts.tolist(),
        )
        self._add(step, tag=tag, histo=histogram)

    def flush(self):
        if self._writer is not None:
            self._writer.flush()

    def _add(self, step, **value):
        if self._writer is None:
            self._writer = self._open()
        summary = self._summary.Summary(value=[self._summary.Summary.Value(**value)])
        self._writer.add_event(self._event(wall_time=time.time(), step=step, summary=summary))
