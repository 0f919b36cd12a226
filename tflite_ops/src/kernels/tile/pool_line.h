// The inner loop of Pool2D.
#ifndef KERAS_DC_SRC_KERNELS_TILE_POOL_LINE_H_
#define KERAS_DC_SRC_KERNELS_TILE_POOL_LINE_H_

#include <cstddef>
#include <cstdint>

namespace keras_dc {

// One line of one image of the output.
struct PoolLine {
  bool is_max = true;
  // The rows of the image that the windows reach, without padding.
  const float* input = nullptr;
  size_t num_rows = 0;
  int64_t input_width = 0;
  size_t channels = 0;
  // Window `x` begins in column x * stride - padding.
  int64_t kernel_width = 1, stride = 1, padding = 0;
  int64_t output_width = 0;
  // The range that outputs are clamped to.
  float lowest = 0.0f, highest = 0.0f;
  float* output = nullptr;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_POOL_LINE_H_
