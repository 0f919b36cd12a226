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
