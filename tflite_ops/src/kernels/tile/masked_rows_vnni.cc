// Compiled for AVX-512 with VNNI and VBMI2: must not instantiate templates that
// other files use.
#include <immintrin.h>

#include "kernels/forms/masked_rows.h"

namespace keras_dc {
namespace {

constexpr size_t kChunk = MaskedRows::kChunk;
// How far ahead of the values to prefetch.
constexpr size_t kPrefetchBytes = 2048;

// A chunk of kept bytes, spread by a mask of bits for bytes.
struct Bytes {
  const uint64_t* masks;

  __m512i Take(size_t chunk, const int8_t** values) const {
    const uint64_t mask = masks[chunk];
    const __m512i kept = _mm512_loadu_si512(*values);
    *values += _mm_popcnt_u64(mask);
    return _mm512_maskz_expand_epi8(_cvtu64_mask64(mask), kept);
  }
};

// The same for words.
struct Words {
  const uint16_t* masks;

  __m512i Take(size_t chunk, const int8_t** values) const {
    const uint32_t mask = masks[chunk];
    const __m512i kept = _mm512_loadu_si512(*values);
    *values += 4 * _mm_popcnt_u32(mask);
    return _mm512_maskz_expand_epi32(_cvtu32_mask16(mask), kept);
  }
};

template <typename Items>
int32_t SumOfRow(const Items& items, size_t num_chunks, const int8_t* values,
                 const uint8_t* input) {
  // Several sums, since an addition must wait for the one before.
  __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
  size_t c = 0;
  for (; c + 2 <= num_chunks; c += 2) {
    _mm_prefetch(reinterpret_cast<const char*>(values + kPrefetchBytes),
                 _MM_HINT_T1);
    const uint8_t* in = input + c * kChunk;
    even = _mm512_dpbusd_epi32(even, _mm512_loadu_si512(in),
                               items.Take(c, &values));
    odd = _mm512_dpbusd_epi32(odd, _mm512_loadu_si512(in + kChunk),
                              items.Take(c + 1, &values));
  }
  if (c < num_chunks) {
    even = _mm512_dpbusd_epi32(even, _mm512_loadu_si512(input + c * kChunk),
                               items.Take(c, &values));
  }
  return _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd));
}

}  // namespace

void RunMaskedVnni(const MaskedView& rows, size_t begin_row, size_t end_row,
                   const uint8_t* input, int32_t* sums) {
  for (size_t r = begin_row; r < end_row; ++r) {
    const int8_t* values = rows.values + rows.row_begin[r];
    const size_t first = r * rows.num_chunks;
    const int32_t sum = rows.masks != nullptr
                            ? SumOfRow(Bytes{rows.masks + first},
                                       rows.num_chunks, values, input)
                            : SumOfRow(Words{rows.word_masks + first},
                                       rows.num_chunks, values, input);
    // Sums wrap.
    sums[r] = static_cast<int32_t>(static_cast<uint32_t>(sums[r]) +
                                   static_cast<uint32_t>(sum));
  }
}

}  // namespace keras_dc
