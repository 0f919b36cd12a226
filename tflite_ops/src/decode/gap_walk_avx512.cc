// Compiled for AVX-512.
#include <immintrin.h>

#include <cstring>

#include "decode/gap_walk.h"

namespace keras_dc {
namespace {

constexpr size_t kBlock = 64;
constexpr size_t kLanes = 16;
// How far ahead to prefetch the memory for columns, which is mostly in no cache
// yet.
constexpr size_t kColumnsAhead = 512;

inline __mmask64 FirstBytes(size_t count) {
  return ~__mmask64{0} >> (count < kBlock ? kBlock - count : 0);
}

// Up to 1024 symbols, in blocks of 64. A symbol that keeps a weight steps over
// its zeros and that weight, a filler over its zeros; so a step is a byte, too.
// Columns are sums of steps. All steps are written before the first is read: a
// processor takes long to read a part of a vector that it has just written.
class Batch {
 public:
  static constexpr size_t kMaxSymbols = 1024;

  // Sums begin with `first`.
  void Read(const uint8_t* gaps, size_t size, uint32_t filler, int64_t first) {
    const __m512i zero = _mm512_setzero_si512();
    __m512i before = _mm512_set1_epi64(first);
    for (size_t i = 0; i * kBlock < size; ++i) {
      const __mmask64 is_here = FirstBytes(size - i * kBlock);
      const __m512i bytes = _mm512_maskz_loadu_epi8(is_here, gaps + i * kBlock);
      kept_[i] = _mm512_mask_cmpneq_epi8_mask(
          is_here, bytes, _mm512_set1_epi8(static_cast<char>(filler)));
      const __m512i steps =
          _mm512_mask_add_epi8(bytes, kept_[i], bytes, _mm512_set1_epi8(1));
      _mm512_store_si512(steps_ + i * kBlock, steps);
      __m512i sums = _mm512_sad_epu8(steps, zero);
      sums = _mm512_add_epi64(sums, _mm512_alignr_epi64(sums, zero, 7));
      sums = _mm512_add_epi64(sums, _mm512_alignr_epi64(sums, zero, 6));
      sums = _mm512_add_epi64(sums, _mm512_alignr_epi64(sums, zero, 4));
      sums = _mm512_add_epi64(sums, before);
      _mm512_store_si512(sums_ + i * kGroups, sums);
      // A group's base is the sum up to the group before.
      _mm512_store_si512(bases_ + i * kGroups,
                         _mm512_alignr_epi64(sums, before, 7));
      before = _mm512_permutexvar_epi64(_mm512_set1_epi64(7), sums);
    }
  }

  // The sum of all steps up to the end of a block.
  int64_t End(size_t block) const {
    return sums_[block * kGroups + kGroups - 1];
  }

  bool AreAllKept(size_t block) const { return kept_[block] == ~uint64_t{0}; }

  __mmask16 Kept(size_t block, size_t quarter) const {
    return static_cast<__mmask16>(kept_[block] >> (kLanes * quarter));
  }

  // The sums up to each of sixteen steps, in 32 bits.
  __m512i Sums(size_t block, size_t quarter) const {
    const __m512i even_lanes = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16,
                                                14, 12, 10, 8, 6, 4, 2, 0);
    const size_t group = kGroups * block + 2 * quarter;
    return _mm512_permutex2var_epi32(GroupSums(group), even_lanes,
                                     GroupSums(group + 1));
  }

 private:
  static constexpr size_t kGroups = 8;  // of eight steps, in a block

  // The sums up to each of eight steps: lane i adds the bytes 0 to i.
  __m512i GroupSums(size_t group) const {
    const __m512i up_to_lane =
        _mm512_set_epi64(-1, 0xffffffffffffff, 0xffffffffffff, 0xffffffffff,
                         0xffffffff, 0xffffff, 0xffff, 0xff);
    int64_t steps;
    std::memcpy(&steps, steps_ + kGroups * group, sizeof(steps));
    const __m512i sums =
        _mm512_sad_epu8(_mm512_and_si512(_mm512_set1_epi64(steps), up_to_lane),
                        _mm512_setzero_si512());
    return _mm512_add_epi64(sums, _mm512_set1_epi64(bases_[group]));
  }

  alignas(64) uint8_t steps_[kMaxSymbols];
  alignas(64) int64_t bases_[kMaxSymbols / 8];
  alignas(64) int64_t sums_[kMaxSymbols / 8];
  uint64_t kept_[kMaxSymbols / kBlock];
};

// Writes the columns of a block that lies within a row and has room behind it.
// `passed` is the number of weights in the rows before.
template <bool kAreAllKept>
inline uint32_t* WriteColumns(const Batch& batch, size_t block, __m512i passed,
                              uint32_t* next) {
  for (size_t quarter = 0; quarter < kBlock / kLanes; ++quarter) {
    __m512i columns = _mm512_sub_epi32(batch.Sums(block, quarter), passed);
    int count = kLanes;
    if (!kAreAllKept) {
      const __mmask16 kept = batch.Kept(block, quarter);
      columns = _mm512_maskz_compress_epi32(kept, columns);
      count = _mm_popcnt_u32(kept);
    }
    _mm512_storeu_si512(next, columns);
    next += count;
  }
  return next;
}

// Writes the columns of a block in which rows may end. Returns the number of
// weights in all rows before.
int64_t WriteRows(const Batch& batch, size_t block, uint32_t row_length,
                  int64_t passed, GapWalk* walk) {
  const __m512i length = _mm512_set1_epi32(static_cast<int>(row_length));
  for (size_t quarter = 0; quarter < kBlock / kLanes; ++quarter) {
    const __mmask16 kept = batch.Kept(block, quarter);
    __m512i columns =
        _mm512_sub_epi32(batch.Sums(block, quarter),
                         _mm512_set1_epi32(static_cast<int>(passed)));
    // The kept weights beyond the row: the last ones.
    __mmask16 beyond = _mm512_mask_cmpge_epu32_mask(kept, columns, length);
    while (beyond != 0) {
      const int in_row = _mm_popcnt_u32(kept & ~uint32_t{beyond});
      walk->row_begin[++walk->row] =
          static_cast<uint32_t>(walk->next - walk->columns + in_row);
      columns = _mm512_mask_sub_epi32(columns, beyond, columns, length);
      passed += row_length;
      beyond = _mm512_mask_cmpge_epu32_mask(beyond, columns, length);
    }
    const int count = _mm_popcnt_u32(kept);
    _mm512_mask_storeu_epi32(walk->next,
                             static_cast<__mmask16>((1u << count) - 1),
                             _mm512_maskz_compress_epi32(kept, columns));
    walk->next += count;
  }
  return passed;
}

void WalkBatch(const Batch& batch, size_t size, int64_t row_length,
               GapWalk* walk) {
  uint32_t* next = walk->next;
  int64_t passed = 0;
  for (size_t block = 0; block * kBlock < size; ++block) {
    // A column is 1 less than the sum up to its step; sums begin 1 too low.
    const int64_t end = batch.End(block) + 1 - passed;
    const ptrdiff_t room = walk->columns_end - next;
    if (end > row_length || room < static_cast<ptrdiff_t>(kBlock)) {
      walk->next = next;
      passed = WriteRows(batch, block, static_cast<uint32_t>(row_length),
                         passed, walk);
      next = walk->next;
      continue;
    }
    for (size_t i = 0; i < kBlock; i += kLanes) {
      _mm_prefetch(reinterpret_cast<const char*>(next) +
                       sizeof(*next) * (kColumnsAhead + i),
                   _MM_HINT_T0);
    }
    const __m512i shift = _mm512_set1_epi32(static_cast<int>(passed));
    next = batch.AreAllKept(block)
               ? WriteColumns<true>(batch, block, shift, next)
               : WriteColumns<false>(batch, block, shift, next);
  }
  walk->next = next;
  walk->offset = batch.End((size - 1) / kBlock) + 1 - passed;
}

}  // namespace

GapTotals AddGapsAvx512(const uint8_t* gaps, size_t size, uint32_t filler) {
  const __m512i fillers = _mm512_set1_epi8(static_cast<char>(filler));
  const __m512i zero = _mm512_setzero_si512();
  __m512i zeros = zero;
  GapTotals totals;
  for (size_t i = 0; i < size; i += kBlock) {
    const __mmask64 is_here = FirstBytes(size - i);
    const __m512i bytes = _mm512_maskz_loadu_epi8(is_here, gaps + i);
    zeros = _mm512_add_epi64(zeros, _mm512_sad_epu8(bytes, zero));
    totals.num_kept += static_cast<uint64_t>(
        _mm_popcnt_u64(_mm512_mask_cmpneq_epi8_mask(is_here, bytes, fillers)));
  }
  totals.num_zeros = static_cast<uint64_t>(_mm512_reduce_add_epi64(zeros));
  return totals;
}

void WalkGapsAvx512(const uint8_t* stop, uint64_t row_length, uint32_t filler,
                    GapWalk* walk) {
  Batch batch;
  while (walk->gap != stop) {
    const auto left = static_cast<size_t>(stop - walk->gap);
    const size_t size = left < Batch::kMaxSymbols ? left : Batch::kMaxSymbols;
    batch.Read(walk->gap, size, filler, walk->offset - 1);
    WalkBatch(batch, size, static_cast<int64_t>(row_length), walk);
    walk->gap += size;
  }
}

}  // namespace keras_dc
