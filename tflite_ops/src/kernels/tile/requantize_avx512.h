// Parts of requantize.h in registers of AVX-512, for files that are compiled
// for it.
#ifndef KERAS_DC_SRC_KERNELS_TILE_REQUANTIZE_AVX512_H_
#define KERAS_DC_SRC_KERNELS_TILE_REQUANTIZE_AVX512_H_

#include <immintrin.h>

#include <cstdint>

#include "kernels/requantize.h"

namespace keras_dc {
namespace {

// Rounds products of 64 bits to integers. Both roundings in one shift: (product
// + first half + second half [- 1 if it is negative]) >> shift, with the second
// half and the 1 moved to the left by 31 bits.
struct ProductRounding {
  explicit ProductRounding(bool rounds_once)
      : first_half(rounds_once ? 0 : int64_t{1} << 30),
        below(_mm512_set1_epi64(-(int64_t{1} << 30))),
        less(_mm512_set1_epi64(rounds_once ? 0 : int64_t{1} << 31)) {}

  // Both halves, for shifts to the right by `right` behind 31 bits.
  __m512i Halves(__m512i right) const {
    return _mm512_add_epi64(
        _mm512_set1_epi64(first_half),
        _mm512_sllv_epi64(_mm512_set1_epi64(1),
                          _mm512_add_epi64(right, _mm512_set1_epi64(30))));
  }
  __m512i Shift(__m512i products, __m512i halves, __m512i shift) const {
    const __mmask8 is_negative = _mm512_cmplt_epi64_mask(products, below);
    const __m512i sums = _mm512_add_epi64(products, halves);
    return _mm512_srav_epi64(
        _mm512_mask_sub_epi64(sums, is_negative, sums, less), shift);
  }

  int64_t first_half;
  // What is taken from negative products: 2^31, or 0 if they are rounded once.
  __m512i below, less;
};

// Scales as floats. A float tells what requantize.h would give unless the
// product lies within `kError` of the middle of two integers. Then products in
// 64 bits are taken.
struct FloatScales {
  FloatScales() = default;
  // Of scales that shift to the right.
  FloatScales(__m512i multipliers, __m512i right_shifts, bool rounds_once) {
    const __m512 exponents = _mm512_cvtepi32_ps(right_shifts);
    factors =
        _mm512_scalef_ps(_mm512_cvtepi32_ps(multipliers),
                         _mm512_sub_ps(_mm512_set1_ps(-31.0f), exponents));
    if (rounds_once) return;
    first_half = _mm512_castps_si512(_mm512_scalef_ps(
        _mm512_set1_ps(1.0f), _mm512_sub_ps(_mm512_set1_ps(-1.0f), exponents)));
  }

  // The sums times the scales. `distance` becomes the larger one of what it is
  // and of that from the products to the integers.
  __m512i Scale(__m512i sums, __m512* distance) const {
    constexpr int kFirstOrSecondAndThird = 0xf8;
    constexpr int kNearest = 0, kLargerMagnitude = 11;
    // The first rounding adds that much, at most. Where it does, halves go away
    // from zero; where it adds less, the second one gives the same anyway.
    const __m512i half = _mm512_ternarylogic_epi32(
        first_half, sums, _mm512_set1_epi32(1 << 31), kFirstOrSecondAndThird);
    const __m512 products = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), factors,
                                            _mm512_castsi512_ps(half));
    *distance = _mm512_range_ps(*distance, _mm512_reduce_ps(products, kNearest),
                                kLargerMagnitude);
    return _mm512_cvt_roundps_epi32(
        products, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }

  // Whether all products are far enough from a middle.
  static bool IsSure(__m512 distance) {
    const __m512 most = _mm512_set1_ps(0.5f - kError);
    return _mm512_cmp_ps_mask(distance, most, _CMP_GT_OQ) == 0;
  }

  // Of a product up to 300, in whatever way its three factors are rounded;
  // beyond, outputs are at their limits.
  static constexpr float kError = 300.0f * 3.0f / (1 << 23);

  __m512 factors = _mm512_setzero_ps();
  __m512i first_half = _mm512_setzero_si512();
};

// The last steps to an output: the zero point and the limits.
struct ByteLimits {
  explicit ByteLimits(const OutputScalingView& scaling)
      : zero_point(_mm512_set1_epi16(static_cast<int16_t>(scaling.zero_point))),
        lowest(_mm512_set1_epi8(static_cast<int8_t>(scaling.lowest))),
        highest(_mm512_set1_epi8(static_cast<int8_t>(scaling.highest))) {}

  // Outputs of four vectors of scaled sums. Each 128 bits have four bytes of
  // the first one, then four of the second, and so on. What does not fit is
  // limited, as `lowest` and `highest` do anyway.
  __m512i Pack(const __m512i scaled[4]) const {
    const __m512i front =
        _mm512_adds_epi16(_mm512_packs_epi32(scaled[0], scaled[1]), zero_point);
    const __m512i back =
        _mm512_adds_epi16(_mm512_packs_epi32(scaled[2], scaled[3]), zero_point);
    return _mm512_min_epi8(
        _mm512_max_epi8(_mm512_packs_epi16(front, back), lowest), highest);
  }

  __m512i zero_point, lowest, highest;
};

}  // namespace
}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_REQUANTIZE_AVX512_H_
