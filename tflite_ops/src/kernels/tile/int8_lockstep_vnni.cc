// Compiled for AVX-512 with VNNI and VBMI: must not instantiate templates that
// other files use.
#include <immintrin.h>

#include "kernels/forms/int8_lockstep.h"

namespace keras_dc {
namespace {

using Rows = Int8Lockstep;

constexpr size_t kLanes = Rows::kLanes;
constexpr size_t kStepSlots = Rows::kStepSlots;
constexpr size_t kStepBytes = 2 * kStepSlots;
// How far ahead to prefetch: slots are read in order, from memory.
constexpr size_t kPrefetchBytes = 64 * kStepBytes;

inline void Prefetch(const uint8_t* slots) {
  _mm_prefetch(reinterpret_cast<const char*>(slots + kPrefetchBytes),
               _MM_HINT_T0);
}

inline __m512i AddStep(const uint8_t* slots, const uint8_t* window,
                       __m512i sums) {
  Prefetch(slots);
  Prefetch(slots + kStepSlots);
  const __m512i inputs = _mm512_permutex2var_epi8(
      _mm512_loadu_si512(window), _mm512_load_si512(slots),
      _mm512_loadu_si512(window + Rows::kWindow / 2));
  return _mm512_dpbusd_epi32(sums, inputs,
                             _mm512_load_si512(slots + kStepSlots));
}

}  // namespace

void RunInt8LockstepVnni(const Int8LockstepView& rows, size_t begin_group,
                         size_t end_group, const uint8_t* input,
                         int32_t* sums) {
  for (size_t group = begin_group; group < end_group; ++group) {
    // Several sums, since an addition must wait for the one before.
    __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
    size_t step = rows.group_begin[group];
    const size_t end = rows.group_begin[group + 1];
    const auto window = [&](size_t i) {
      return input + size_t{rows.windows[i]} * Rows::kUnit;
    };
    for (; step + 2 <= end; step += 2) {
      even = AddStep(rows.slots + step * kStepBytes, window(step), even);
      odd =
          AddStep(rows.slots + (step + 1) * kStepBytes, window(step + 1), odd);
    }
    if (step < end) {
      even = AddStep(rows.slots + step * kStepBytes, window(step), even);
    }
    alignas(64) uint32_t lanes[kLanes];
    _mm512_store_si512(lanes, _mm512_add_epi32(even, odd));
    for (size_t l = 0; l < kLanes; ++l) {
      const uint32_t row = rows.row_of_lane[group * kLanes + l];
      if (row == UINT32_MAX) continue;
      // Sums wrap.
      sums[row] =
          static_cast<int32_t>(static_cast<uint32_t>(sums[row]) + lanes[l]);
    }
  }
}

}  // namespace keras_dc
