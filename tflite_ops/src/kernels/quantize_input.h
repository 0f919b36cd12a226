// From float inputs to int8 ones, as TFLite does for layers with int8 weights
// and float activations (dynamic range).
#ifndef KERAS_DC_SRC_KERNELS_QUANTIZE_INPUT_H_
#define KERAS_DC_SRC_KERNELS_QUANTIZE_INPUT_H_

#include <cstddef>
#include <cstdint>

namespace keras_dc {

// An input is about scale * (integer - zero_point).
struct InputScale {
  float scale = 1.0f;
  int32_t zero_point = 0;
};

// Quantizes `size` values by the largest magnitude, or if `is_asymmetric` by
// the smallest and the largest. False, and `integers` are unspecified, if a
// value is Inf or NaN.
bool QuantizeInput(const float* values, size_t size, bool is_asymmetric,
                   int8_t* integers, InputScale* scale);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_QUANTIZE_INPUT_H_
