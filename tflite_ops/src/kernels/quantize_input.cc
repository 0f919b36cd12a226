#include "kernels/quantize_input.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace keras_dc {
namespace {

constexpr int32_t kLowest = -128, kHighest = 127;

// round(value), halves away from zero, in [lowest, 127]. Without a call of the
// library, so that compilers make vectors of it. `value` is no NaN.
int8_t Rounded(float value, int32_t lowest) {
  constexpr float kFar = 1000.0f;
  const float near = std::min(std::max(value, -kFar), kFar);
  const auto whole = static_cast<int32_t>(near);
  const float rest = near - static_cast<float>(whole);
  const int32_t rounded = whole + (rest >= 0.5f) - (rest <= -0.5f);
  return static_cast<int8_t>(std::min(std::max(rounded, lowest), kHighest));
}

// The zero point is at the end whose error is smaller, on an integer. In
// float32, as LiteRT 2 and TensorFlow 2.21 compute it; tflite-runtime 2.14 took
// float64.
int32_t ZeroPoint(float least, float most, float scale) {
  constexpr auto kLow = static_cast<float>(kLowest);
  constexpr auto kHigh = static_cast<float>(kHighest);
  const float error_of_least = -kLow + std::abs(least / scale);
  const float error_of_most = kHigh + std::abs(most / scale);
  const float point = error_of_least < error_of_most ? kLow - least / scale
                                                     : kHigh - most / scale;
  if (point <= kLow) return kLowest;
  if (point >= kHigh) return kHighest;
  return static_cast<int32_t>(std::round(point));
}

}  // namespace

bool QuantizeInput(const float* values, size_t size, bool is_asymmetric,
                   int8_t* integers, InputScale* scale) {
  *scale = InputScale();
  float least = 0.0f, most = 0.0f, zeros = 0.0f;
  for (size_t i = 0; i < size; ++i) {
    least = std::min(least, values[i]);
    most = std::max(most, values[i]);
    // NaN if a value is Inf or NaN.
    zeros += values[i] * 0.0f;
  }
  if (zeros != 0.0f) return false;
  const float range =
      is_asymmetric ? most - least : std::max(std::abs(least), std::abs(most));
  const int32_t steps = is_asymmetric ? kHighest - kLowest : kHighest;
  const float step = range / static_cast<float>(steps);
  // As TFLite: it divides in this order.
  const float inverse =
      is_asymmetric ? 1.0f / step : static_cast<float>(steps) / range;
  if (!std::isfinite(step)) return false;
  if (!std::isfinite(inverse)) {
    // All are 0, or as good as 0.
    if (size > 0) std::memset(integers, 0, size);
    return true;
  }
  scale->scale = step;
  if (is_asymmetric) scale->zero_point = ZeroPoint(least, most, step);
  const auto offset = static_cast<float>(scale->zero_point);
  const int32_t lowest = is_asymmetric ? kLowest : -kHighest;
  for (size_t i = 0; i < size; ++i) {
    integers[i] = Rounded(offset + values[i] * inverse, lowest);
  }
  return true;
}

}  // namespace keras_dc
