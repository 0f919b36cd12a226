// Pooling: the maximum or the mean of each channel over a window.
#ifndef KERAS_DC_SRC_KERNELS_POOL_2D_H_
#define KERAS_DC_SRC_KERNELS_POOL_2D_H_

#include <cstddef>

#include "common/cpu.h"
#include "common/thread_pool.h"
#include "kernels/pixel_grid.h"
#include "kernels/tile/tile.h"

namespace keras_dc {

enum class Pooling { kMax, kAverage };

// Padding counts neither for the maximum nor for the mean. A mean is the sum of
// the pixels in C order, divided by their number, as in TFLite's own op. As
// there, a maximum may leave out a NaN.
//
// Args:
//   shape: has no dilation; each window has a pixel of the image.
//   range: the range that outputs are clamped to.
//   pool: may be null if num_threads is 1.
//   input: (batch, height, width, channels), C order.
//   output: (batch, height, width, channels), C order.
void Pool2D(Pooling pooling, const ConvShape& shape, size_t channels,
            const OutputRange& range, Isa isa, size_t num_threads,
            ThreadPool* pool, const float* input, float* output);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_POOL_2D_H_
