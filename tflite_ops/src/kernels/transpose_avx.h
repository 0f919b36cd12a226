// 8 x 8 floats transposed, for the files that are compiled for AVX or more.
#ifndef KERAS_DC_SRC_KERNELS_TRANSPOSE_AVX_H_
#define KERAS_DC_SRC_KERNELS_TRANSPOSE_AVX_H_

#include <immintrin.h>

#include <cstddef>

namespace keras_dc {
namespace {

// rows[i][j] becomes rows[j][i].
inline void Transpose8(__m256 rows[8]) {
  __m256 t[8], u[8];
  for (size_t i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (size_t i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (size_t i = 0; i < 4; ++i) {
    rows[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    rows[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

// panel[c * stride + l] = pixels[l][channel + c]
inline void Gather8(const float* const* pixels, size_t channel, size_t stride,
                    float* panel) {
  __m256 rows[8];
  for (size_t l = 0; l < 8; ++l) rows[l] = _mm256_loadu_ps(pixels[l] + channel);
  Transpose8(rows);
  for (size_t c = 0; c < 8; ++c) _mm256_store_ps(panel + c * stride, rows[c]);
}

// pixels[l][row + r] = sums[r * stride + l], except where there is no pixel
inline void Scatter8(const float* sums, size_t stride, size_t row,
                     float* const* pixels) {
  __m256 rows[8];
  for (size_t r = 0; r < 8; ++r) rows[r] = _mm256_load_ps(sums + r * stride);
  Transpose8(rows);
  for (size_t l = 0; l < 8; ++l) {
    if (pixels[l] != nullptr) _mm256_storeu_ps(pixels[l] + row, rows[l]);
  }
}

}  // namespace
}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TRANSPOSE_AVX_H_
