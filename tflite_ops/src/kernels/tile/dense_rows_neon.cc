// Compiled for NEON (AArch64).
#include <arm_neon.h>

#include "kernels/tile/dense_rows.h"

namespace keras_dc {
namespace {

constexpr size_t kLanes = 4;
constexpr size_t kStep = 2 * kLanes;

// The sums of kRows rows side by side: one load of the input serves them all.
template <size_t kRows>
inline void RunRows(const float* weights, size_t num_columns,
                    const float* input, float* output) {
  // Two sums for each row: an addition must wait for the one before.
  float32x4_t first[kRows], second[kRows];
  for (size_t r = 0; r < kRows; ++r) first[r] = vdupq_n_f32(0.0f);
  for (size_t r = 0; r < kRows; ++r) second[r] = vdupq_n_f32(0.0f);
  size_t c = 0;
  for (; c + kStep <= num_columns; c += kStep) {
    const float32x4_t x0 = vld1q_f32(input + c);
    const float32x4_t x1 = vld1q_f32(input + c + kLanes);
    for (size_t r = 0; r < kRows; ++r) {
      const float* row = weights + r * num_columns + c;
      first[r] = vfmaq_f32(first[r], vld1q_f32(row), x0);
      second[r] = vfmaq_f32(second[r], vld1q_f32(row + kLanes), x1);
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    float sum = vaddvq_f32(vaddq_f32(first[r], second[r]));
    for (size_t k = c; k < num_columns; ++k) {
      sum += weights[r * num_columns + k] * input[k];
    }
    output[r] = sum;
  }
}

}  // namespace

void RunDenseRowsNeon(const float* weights, size_t num_columns,
                      size_t begin_row, size_t end_row, const float* input,
                      float* output) {
  constexpr size_t kTogether = 4;
  size_t r = begin_row;
  for (; r + kTogether <= end_row; r += kTogether) {
    RunRows<kTogether>(weights + r * num_columns, num_columns, input,
                       output + r);
  }
  for (; r < end_row; ++r) {
    RunRows<1>(weights + r * num_columns, num_columns, input, output + r);
  }
}

}  // namespace keras_dc
