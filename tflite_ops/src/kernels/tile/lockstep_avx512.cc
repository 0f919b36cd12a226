// Compiled for AVX-512: must not instantiate templates that other files use.
#include <immintrin.h>

#include "kernels/forms/lockstep_weights.h"

namespace keras_dc {
namespace {

using Weights = LockstepWeights;

constexpr size_t kLanes = Weights::kLanes;
constexpr unsigned kField = Weights::kFieldBits;
// How many words ahead to prefetch: words are read in order, from memory.
constexpr size_t kNearWords = 96, kFarWords = 1024;

struct Sums {
  __m512 s[3];
};

// Looks up 16 of 32 floats.
inline __m512 Lookup(const __m512 table[2], __m512i indices) {
  return _mm512_permutex2var_ps(table[0], indices, table[1]);
}

template <Prefetch kPrefetch>
inline void AddWord(const __m512 values[2], const __m512 inputs[2],
                    const uint32_t* word, Sums* sums) {
  const __m512i w = _mm512_load_si512(word);
  if constexpr (kPrefetch == Prefetch::kNear) {
    _mm_prefetch(reinterpret_cast<const char*>(word + kNearWords * kLanes),
                 _MM_HINT_T0);
  } else {
    _mm_prefetch(reinterpret_cast<const char*>(word + kFarWords * kLanes),
                 _MM_HINT_T1);
  }
  // A permute takes the lowest 5 bits of its index.
  sums->s[0] = _mm512_fmadd_ps(Lookup(values, _mm512_srli_epi32(w, kField)),
                               Lookup(inputs, w), sums->s[0]);
  sums->s[1] = _mm512_fmadd_ps(Lookup(values, _mm512_srli_epi32(w, 3 * kField)),
                               Lookup(inputs, _mm512_srli_epi32(w, 2 * kField)),
                               sums->s[1]);
  sums->s[2] = _mm512_fmadd_ps(Lookup(values, _mm512_srli_epi32(w, 5 * kField)),
                               Lookup(inputs, _mm512_srli_epi32(w, 4 * kField)),
                               sums->s[2]);
}

template <Prefetch kPrefetch, size_t kNumWords>
inline void AddWindows(const __m512 values[2], const float* input,
                       const uint8_t* windows, size_t num_windows,
                       const uint32_t* words, size_t num_words, Sums* sums) {
  for (size_t w = 0; w < num_windows; ++w) {
    const float* in = input + windows[w] * Weights::kWindowColumns;
    const __m512 inputs[2] = {_mm512_load_ps(in), _mm512_load_ps(in + kLanes)};
    const size_t size = kNumWords != 0 ? kNumWords : num_words;
    for (size_t i = 0; i < size; ++i, words += kLanes) {
      AddWord<kPrefetch>(values, inputs, words, sums);
    }
  }
}

inline __m512 AddRest(const LockstepView& weights, size_t begin, size_t end,
                      const float* input, __m512 sum) {
  for (size_t step = begin; step < end; ++step) {
    const __m512i columns = _mm512_cvtepu16_epi32(
        _mm256_load_si256(reinterpret_cast<const __m256i*>(
            &weights.rest_columns[step * kLanes])));
    const __m512i codes = _mm512_cvtepu8_epi32(_mm_load_si128(
        reinterpret_cast<const __m128i*>(&weights.rest_codes[step * kLanes])));
    sum = _mm512_fmadd_ps(_mm512_i32gather_ps(codes, weights.values, 4),
                          _mm512_i32gather_ps(columns, input, 4), sum);
  }
  return sum;
}

template <Prefetch kPrefetch>
void Run(const LockstepView& weights, size_t begin_group, size_t end_group,
         const float* input, float* sums, float* output) {
  const __m512 values[2] = {_mm512_loadu_ps(weights.values),
                            _mm512_loadu_ps(weights.values + kLanes)};
  for (size_t block = 0; block < weights.num_blocks; ++block) {
    const float* in = input + block * Weights::kBlockColumns;
    for (size_t group = begin_group; group < end_group; ++group) {
      const Weights::Cell* cell =
          &weights.cells[block * weights.num_groups + group];
      Sums s = {{block == 0 ? _mm512_setzero_ps()
                            : _mm512_load_ps(sums + group * kLanes),
                 _mm512_setzero_ps(), _mm512_setzero_ps()}};
      const uint8_t* windows = weights.windows + cell->window;
      const uint32_t* words = weights.words + cell->word * kLanes;
      for (uint32_t r = cell[0].run; r < cell[1].run; ++r) {
        const size_t num_windows = weights.runs[r].num_windows;
        const size_t num_words = weights.runs[r].num_words;
        switch (num_words) {
          case 1:
            AddWindows<kPrefetch, 1>(values, in, windows, num_windows, words, 1,
                                     &s);
            break;
          case 2:
            AddWindows<kPrefetch, 2>(values, in, windows, num_windows, words, 2,
                                     &s);
            break;
          default:
            AddWindows<kPrefetch, 0>(values, in, windows, num_windows, words,
                                     num_words, &s);
        }
        windows += num_windows;
        words += num_windows * num_words * kLanes;
      }
      s.s[0] = AddRest(weights, cell[0].rest, cell[1].rest, in, s.s[0]);
      _mm512_store_ps(sums + group * kLanes,
                      _mm512_add_ps(s.s[0], _mm512_add_ps(s.s[1], s.s[2])));
    }
  }
  for (size_t lane = begin_group * kLanes; lane < end_group * kLanes; ++lane) {
    const size_t row = weights.row_of_lane[lane];
    if (row < weights.num_rows) output[row] = sums[lane];
  }
}

}  // namespace

void RunLockstepAvx512(const LockstepView& weights, Prefetch prefetch,
                       size_t begin_group, size_t end_group, const float* input,
                       float* sums, float* output) {
  const auto run =
      prefetch == Prefetch::kNear ? Run<Prefetch::kNear> : Run<Prefetch::kFar>;
  run(weights, begin_group, end_group, input, sums, output);
}

}  // namespace keras_dc
