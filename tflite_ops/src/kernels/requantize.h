// From the 32-bit sums of an int8 layer to its outputs, with the arithmetic of
// TFLite's reference kernels, bit for bit.
//
// A sum is multiplied by a scale, which is a 31-bit multiplier and a shift.
// CONV_2D rounds twice: the product to 32 bits, halves upwards; then the right
// shift, halves away from zero. FULLY_CONNECTED rounds once, halves upwards, in
// LiteRT 2 and TensorFlow 2.21; in tflite-runtime 2.14 it rounds twice, too,
// which makes one output in about a thousand differ by 1.
#ifndef KERAS_DC_SRC_KERNELS_REQUANTIZE_H_
#define KERAS_DC_SRC_KERNELS_REQUANTIZE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/activation.h"

namespace keras_dc {

// A scale as a multiplier in [2^30, 2^31), or 0, times 2^(shift - 31).
struct QuantizedScale {
  static constexpr int kMaxShift = 30;

  int32_t multiplier = 0;
  int shift = 0;
};

// `scale` must not be negative. A scale below 2^-32 becomes 0. False for one
// that is too large, or not finite.
bool QuantizeScale(double scale, QuantizedScale* quantized);

// round(round(value * 2^max(shift, 0) * multiplier / 2^31) / 2^max(-shift, 0));
// the first product wraps, as in TFLite.
inline int32_t MultiplyByScale(int32_t value, int32_t multiplier,
                               int left_shift, int right_shift) {
  const auto shifted =
      static_cast<int32_t>(static_cast<uint32_t>(value) << left_shift);
  const int64_t product = int64_t{shifted} * multiplier;
  const auto high = static_cast<int32_t>((product + (int64_t{1} << 30)) >> 31);
  const auto mask = static_cast<int32_t>((int64_t{1} << right_shift) - 1);
  const int32_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
  return (high >> right_shift) + ((high & mask) > threshold ? 1 : 0);
}

// round(value * 2^shift * multiplier / 2^31), whose 32 lowest bits count.
inline int32_t MultiplyByScaleOnce(int32_t value, int32_t multiplier,
                                   int left_shift, int right_shift) {
  const int shift = 31 - left_shift + right_shift;
  const int64_t product = int64_t{value} * multiplier;
  return static_cast<int32_t>((product + (int64_t{1} << (shift - 1))) >> shift);
}

// How a layer makes int8 outputs of the sums of its rows.
struct OutputScaling {
  std::vector<int32_t> multipliers;
  std::vector<int32_t> left_shifts, right_shifts;
  bool rounds_once = false;
  int32_t zero_point = 0;
  int32_t lowest = -128;
  int32_t highest = 127;

  void Add(const QuantizedScale& scale);
  // Sets `lowest` and `highest`. False if the output's scale is too small for
  // the activation's bounds, or the activation is none for integers.
  bool SetRange(Activation activation, float scale);
};

// OutputScaling as plain pointers, at the first of some rows.
struct OutputScalingView {
  OutputScalingView() = default;
  OutputScalingView(const OutputScaling& scaling, size_t first_row)
      : multipliers(scaling.multipliers.data() + first_row),
        left_shifts(scaling.left_shifts.data() + first_row),
        right_shifts(scaling.right_shifts.data() + first_row),
        rounds_once(scaling.rounds_once),
        zero_point(scaling.zero_point),
        lowest(scaling.lowest),
        highest(scaling.highest) {}

  const int32_t* multipliers = nullptr;
  const int32_t* left_shifts = nullptr;
  const int32_t* right_shifts = nullptr;
  bool rounds_once = false;
  int32_t zero_point = 0;
  int32_t lowest = 0;
  int32_t highest = 0;
};

// The rows of `scaling` from `row` on. Not inline: files that are compiled for
// one instruction set call it.
OutputScalingView RowsFrom(const OutputScalingView& scaling, size_t row);

// outputs[r] = clamp(zero_point + MultiplyByScale(sums[r])), r < num_rows, or
// with MultiplyByScaleOnce.
// `sums` holds 32-bit integers.
using Requantize = void (*)(const OutputScalingView& scaling, size_t num_rows,
                            const void* sums, int8_t* outputs);

void RequantizePortable(const OutputScalingView& scaling, size_t num_rows,
                        const void* sums, int8_t* outputs);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_REQUANTIZE_H_
