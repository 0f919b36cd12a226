// Transposes blocks of 8 channels, for files that are compiled for AVX2 or
// more: an image has the channels of a pixel side by side, a panel and sums
// have the pixels of a channel.
#ifndef KERAS_DC_SRC_KERNELS_TILE_TRANSPOSE_AVX_H_
#define KERAS_DC_SRC_KERNELS_TILE_TRANSPOSE_AVX_H_

#include <immintrin.h>

#include <cstddef>

#include "kernels/tile/tile.h"

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

// Writes 8 channels of 8 pixels, rows[l] of pixel l, to the panel.
inline void StoreToPanel(__m256 rows[8], size_t stride, float* panel) {
  Transpose8(rows);
  for (size_t c = 0; c < 8; ++c) _mm256_store_ps(panel + c * stride, rows[c]);
}

// Writes 8 sums of 8 pixels, rows[r] of row r, to the pixels.
inline void StoreToPixels(__m256 rows[8], size_t row, float* const* pixels) {
  Transpose8(rows);
  for (size_t l = 0; l < 8; ++l) {
    if (pixels[l] != nullptr) _mm256_storeu_ps(pixels[l] + row, rows[l]);
  }
}

// Simd::Gather and Simd::Scatter of tile_impl.h, for 8 channels of 8 pixels.
inline void Gather8(const float* const* pixels, size_t channel, size_t stride,
                    float* panel, __m256 zeros[2]) {
  __m256 rows[8];
  for (size_t l = 0; l < 8; ++l) {
    rows[l] = _mm256_loadu_ps(pixels[l] + channel);
    zeros[l % 2] = _mm256_fmadd_ps(rows[l], _mm256_setzero_ps(), zeros[l % 2]);
  }
  StoreToPanel(rows, stride, panel);
}

inline void Scatter8(const OutputRange& range, const float* sums, size_t stride,
                     size_t row, float* const* pixels) {
  const __m256 lowest = _mm256_set1_ps(range.lowest);
  const __m256 highest = _mm256_set1_ps(range.highest);
  __m256 rows[8];
  for (size_t r = 0; r < 8; ++r) {
    // Where an operand is a NaN, the second one is the result.
    rows[r] = _mm256_min_ps(
        highest, _mm256_max_ps(lowest, _mm256_load_ps(sums + r * stride)));
  }
  StoreToPixels(rows, row, pixels);
}

#if defined(__AVX512F__) && defined(__AVX512DQ__)

// Transposes the 4 by 4 blocks in each quarter of the registers: u[j] becomes
// column j of rows[0] to rows[3], u[j + 4] that of rows[4] to rows[7].
inline void TransposeQuarters(const __m512 rows[8], __m512 u[8]) {
  __m512 t[8];
  for (size_t i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (size_t i = 0; i < 8; i += 4) {
    u[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
}

// The same for 16 pixels. The quarters of a register begin at lanes 0, 4, 8,
// 12.
//
// 8 channels of pixel l, and of pixel l + 8.
inline __m512 LoadPixels(const float* const* pixels, size_t channel) {
  return _mm512_insertf32x8(
      _mm512_castps256_ps512(_mm256_loadu_ps(pixels[0] + channel)),
      _mm256_loadu_ps(pixels[8] + channel), 1);
}

// rows[i]: the first and the last four channels of pixel i, then of i + 8.
inline void StoreToPanel(const __m512 rows[8], size_t stride, float* panel) {
  __m512 u[8];
  // u[c], u[c + 4]: channels c and c + 4 of pixels 0 to 3 and of 4 to 7, each
  // with those 8 further on.
  TransposeQuarters(rows, u);
  const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
  const __m512i high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
  const auto join = [&](size_t i, __m512i quarters) {
    return _mm512_castpd_ps(_mm512_permutex2var_pd(
        _mm512_castps_pd(u[i]), quarters, _mm512_castps_pd(u[i + 4])));
  };
  for (size_t c = 0; c < 4; ++c) {
    _mm512_store_ps(panel + c * stride, join(c, low));
    _mm512_store_ps(panel + (c + 4) * stride, join(c, high));
  }
}

inline void StoreToPixels(const __m512 rows[8], size_t row,
                          float* const* pixels) {
  __m512 u[8];
  // u[i], u[i + 4]: rows 0 to 3 and rows 4 to 7 of pixels i, i + 4, ...
  TransposeQuarters(rows, u);
  const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
  const __m512i high = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  const auto write = [&](size_t l, __m256 channels) {
    if (pixels[l] != nullptr) _mm256_storeu_ps(pixels[l] + row, channels);
  };
  for (size_t i = 0; i < 4; ++i) {
    const __m512d a = _mm512_castps_pd(u[i]), b = _mm512_castps_pd(u[i + 4]);
    const __m512 first = _mm512_castpd_ps(_mm512_permutex2var_pd(a, low, b));
    const __m512 second = _mm512_castpd_ps(_mm512_permutex2var_pd(a, high, b));
    write(i, _mm512_castps512_ps256(first));
    write(i + 4, _mm512_extractf32x8_ps(first, 1));
    write(i + 8, _mm512_castps512_ps256(second));
    write(i + 12, _mm512_extractf32x8_ps(second, 1));
  }
}

inline void Gather8x16(const float* const* pixels, size_t channel,
                       size_t stride, float* panel, __m512 zeros[2]) {
  __m512 rows[8];
  for (size_t l = 0; l < 8; ++l) {
    rows[l] = LoadPixels(pixels + l, channel);
    zeros[l % 2] = _mm512_fmadd_ps(rows[l], _mm512_setzero_ps(), zeros[l % 2]);
  }
  StoreToPanel(rows, stride, panel);
}

inline void Scatter8x16(const OutputRange& range, const float* sums,
                        size_t stride, size_t row, float* const* pixels) {
  const __m512 lowest = _mm512_set1_ps(range.lowest);
  const __m512 highest = _mm512_set1_ps(range.highest);
  __m512 rows[8];
  for (size_t r = 0; r < 8; ++r) {
    // Where an operand is a NaN, the second one is the result.
    rows[r] = _mm512_min_ps(
        highest, _mm512_max_ps(lowest, _mm512_load_ps(sums + r * stride)));
  }
  StoreToPixels(rows, row, pixels);
}

#endif  // __AVX512F__ && __AVX512DQ__

}  // namespace
}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_TRANSPOSE_AVX_H_
