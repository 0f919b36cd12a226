#include "kernels/requantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace keras_dc {
namespace {

// The integer that stands for `value`. False if it has more than 32 bits.
bool Quantize(float value, float scale, int32_t zero_point, int32_t* integer) {
  const float rounded = std::round(value / scale);
  constexpr float kLimit = 2147483648.0f;
  if (!(rounded >= -kLimit && rounded < kLimit)) return false;
  const int64_t sum = int64_t{zero_point} + static_cast<int64_t>(rounded);
  if (sum < INT32_MIN || sum > INT32_MAX) return false;
  *integer = static_cast<int32_t>(sum);
  return true;
}

}  // namespace

bool QuantizeScale(double scale, QuantizedScale* quantized) {
  *quantized = QuantizedScale();
  if (!std::isfinite(scale) || scale < 0.0) return false;
  if (scale == 0.0) return true;
  int shift = 0;
  const double fraction = std::frexp(scale, &shift);
  constexpr int64_t kOne = int64_t{1} << 31;
  int64_t multiplier = std::llround(fraction * static_cast<double>(kOne));
  if (multiplier == kOne) {
    multiplier /= 2;
    ++shift;
  }
  if (shift > QuantizedScale::kMaxShift) return false;
  if (shift < -31) return true;
  quantized->multiplier = static_cast<int32_t>(multiplier);
  quantized->shift = shift;
  return true;
}

void OutputScaling::Add(const QuantizedScale& scale) {
  multipliers.push_back(scale.multiplier);
  left_shifts.push_back(std::max(scale.shift, 0));
  right_shifts.push_back(std::max(-scale.shift, 0));
}

bool OutputScaling::SetRange(Activation activation, float scale) {
  lowest = std::numeric_limits<int8_t>::min();
  highest = std::numeric_limits<int8_t>::max();
  float low = 0.0f, high = 0.0f;
  switch (activation) {
    case Activation::kNone:
      return true;
    case Activation::kRelu:
      break;
    case Activation::kRelu6:
      high = 6.0f;
      break;
    case Activation::kReluN1To1:
      low = -1.0f;
      high = 1.0f;
      break;
    default:
      return false;
  }
  int32_t bound = 0;
  if (!Quantize(low, scale, zero_point, &bound)) return false;
  lowest = std::max(lowest, bound);
  if (activation == Activation::kRelu) return true;
  if (!Quantize(high, scale, zero_point, &bound)) return false;
  highest = std::min(highest, bound);
  return true;
}

OutputScalingView RowsFrom(const OutputScalingView& scaling, size_t row) {
  OutputScalingView rest = scaling;
  rest.multipliers += row;
  rest.left_shifts += row;
  rest.right_shifts += row;
  return rest;
}

void RequantizePortable(const OutputScalingView& scaling, size_t num_rows,
                        const void* sums, int8_t* outputs) {
  const auto* bytes = static_cast<const uint8_t*>(sums);
  for (size_t r = 0; r < num_rows; ++r) {
    int32_t sum;
    std::memcpy(&sum, bytes + r * sizeof(sum), sizeof(sum));
    const int32_t multiplier = scaling.multipliers[r];
    const int left = scaling.left_shifts[r], right = scaling.right_shifts[r];
    const int32_t scaled =
        scaling.rounds_once ? MultiplyByScaleOnce(sum, multiplier, left, right)
                            : MultiplyByScale(sum, multiplier, left, right);
    const int64_t shifted = int64_t{scaled} + scaling.zero_point;
    outputs[r] = static_cast<int8_t>(std::min<int64_t>(
        std::max<int64_t>(shifted, scaling.lowest), scaling.highest));
  }
}

}  // namespace keras_dc
