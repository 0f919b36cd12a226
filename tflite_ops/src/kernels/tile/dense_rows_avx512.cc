// Compiled for AVX-512: must not instantiate templates that other files use.
#include <immintrin.h>

#include "kernels/tile/dense_rows.h"

namespace keras_dc {
namespace {

constexpr size_t kLanes = 16;

inline __mmask16 MaskOf(size_t count) {
  return static_cast<__mmask16>((1u << count) - 1);
}

// The sums of kRows rows side by side: one load of the input serves them all.
template <size_t kRows>
inline void RunRows(const float* weights, size_t num_columns,
                    const float* input, float* output) {
  __m512 sums[kRows];
  for (size_t r = 0; r < kRows; ++r) sums[r] = _mm512_setzero_ps();
  size_t c = 0;
  for (; c + kLanes <= num_columns; c += kLanes) {
    const __m512 x = _mm512_loadu_ps(input + c);
    for (size_t r = 0; r < kRows; ++r) {
      sums[r] = _mm512_fmadd_ps(_mm512_loadu_ps(weights + r * num_columns + c),
                                x, sums[r]);
    }
  }
  if (c < num_columns) {
    const __mmask16 rest = MaskOf(num_columns - c);
    const __m512 x = _mm512_maskz_loadu_ps(rest, input + c);
    for (size_t r = 0; r < kRows; ++r) {
      sums[r] = _mm512_fmadd_ps(
          _mm512_maskz_loadu_ps(rest, weights + r * num_columns + c), x,
          sums[r]);
    }
  }
  for (size_t r = 0; r < kRows; ++r) output[r] = _mm512_reduce_add_ps(sums[r]);
}

}  // namespace

void RunDenseRowsAvx512(const float* weights, size_t num_columns,
                        size_t begin_row, size_t end_row, const float* input,
                        float* output) {
  constexpr size_t kTogether = 8;
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
