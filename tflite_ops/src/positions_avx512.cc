#include "positions_avx512.h"

#include <immintrin.h>

namespace keras_dc {
namespace {

constexpr size_t kLanes = 16;

// Each lane the sum of itself and all before it.
inline __m512i PrefixSum(__m512i v) {
  const __m512i zero = _mm512_setzero_si512();
  v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 15));
  v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 14));
  v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 12));
  return _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 8));
}

}  // namespace

GapTotals AddGapsAvx512(const uint8_t* gaps, size_t size, uint8_t filler) {
  constexpr size_t kBytes = 64;
  const __m512i fillers = _mm512_set1_epi8(static_cast<char>(filler));
  const __m512i zero = _mm512_setzero_si512();
  __m512i zeros = zero;
  GapTotals totals;
  for (size_t i = 0; i < size; i += kBytes) {
    const size_t left = size - i;
    const __mmask64 mask = ~__mmask64{0} >> (left < kBytes ? kBytes - left : 0);
    const __m512i bytes = _mm512_maskz_loadu_epi8(mask, gaps + i);
    zeros = _mm512_add_epi64(zeros, _mm512_sad_epu8(bytes, zero));
    totals.num_kept += static_cast<uint64_t>(
        _mm_popcnt_u64(_mm512_mask_cmpneq_epi8_mask(mask, bytes, fillers)));
  }
  totals.num_zeros = static_cast<uint64_t>(_mm512_reduce_add_epi64(zeros));
  return totals;
}

void WalkRowAvx512(uint64_t row_length, uint32_t filler, GapWalk* walk) {
  const __m512i fillers = _mm512_set1_epi32(static_cast<int>(filler));
  const __m512i one = _mm512_set1_epi32(1);
  const __m512i last = _mm512_set1_epi32(kLanes - 1);
  const auto length = static_cast<uint32_t>(row_length);
  const uint8_t* gap = walk->gap;
  uint32_t* next = walk->next;
  __m512i base = _mm512_set1_epi32(static_cast<int>(walk->offset));
  while (walk->end - gap >= static_cast<ptrdiff_t>(kLanes) &&
         walk->columns_end - next >= static_cast<ptrdiff_t>(kLanes)) {
    const __m512i gaps = _mm512_cvtepu8_epi32(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(gap)));
    const __mmask16 kept = _mm512_cmpneq_epi32_mask(gaps, fillers);
    const __m512i steps = _mm512_mask_add_epi32(gaps, kept, gaps, one);
    const __m512i after = _mm512_add_epi32(base, PrefixSum(steps));
    const __m512i end_of_step = _mm512_permutexvar_epi32(last, after);
    const auto offset = static_cast<uint32_t>(
        _mm_cvtsi128_si32(_mm512_castsi512_si128(end_of_step)));
    if (offset > length) break;
    const __m512i columns = _mm512_sub_epi32(after, one);
    _mm512_storeu_si512(next, _mm512_maskz_compress_epi32(kept, columns));
    next += _mm_popcnt_u32(kept);
    gap += kLanes;
    base = end_of_step;
  }
  walk->offset = _mm_cvtsi128_si32(_mm512_castsi512_si128(base));
  walk->gap = gap;
  walk->next = next;
}

}  // namespace keras_dc
