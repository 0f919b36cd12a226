#include "decode/gap_walk.h"

#include <algorithm>

#include "common/cpu.h"

namespace keras_dc {

GapTotals AddGaps(const uint8_t* gaps, size_t size, uint32_t filler) {
#if defined(KERAS_DC_X86_KERNELS)
  if (ThisCpu().avx512) return AddGapsAvx512(gaps, size, filler);
#elif defined(KERAS_DC_NEON_KERNELS)
  if (ThisCpu().isa == Isa::kNeon) return AddGapsNeon(gaps, size, filler);
#endif
  return AddGapsPortable(gaps, size, filler);
}

GapTotals AddGapsPortable(const uint8_t* gaps, size_t size, uint32_t filler) {
  // Sums have 32 bits, of which a vector holds more than of 64; a block is too
  // short to overflow them.
  constexpr size_t kBlock = size_t{1} << 20;
  GapTotals totals;
  for (size_t begin = 0; begin < size; begin += kBlock) {
    const uint8_t* block = gaps + begin;
    const size_t block_size = std::min(kBlock, size - begin);
    uint32_t num_kept = 0, num_zeros = 0;
    for (size_t i = 0; i < block_size; ++i) {
      num_kept += block[i] != filler;
      num_zeros += block[i];
    }
    totals.num_kept += num_kept;
    totals.num_zeros += num_zeros;
  }
  return totals;
}

void WalkGapsTo(const uint8_t* stop, uint64_t row_length, uint32_t filler,
                GapWalk* walk) {
#if defined(KERAS_DC_X86_KERNELS)
  if (ThisCpu().avx512) {
    WalkGapsAvx512(stop, row_length, filler, walk);
    return;
  }
#elif defined(KERAS_DC_NEON_KERNELS)
  if (ThisCpu().isa == Isa::kNeon) {
    WalkGapsNeon(stop, row_length, filler, walk);
    return;
  }
#endif
  WalkGapsPortable(stop, row_length, filler, walk);
}

// A branch on fillers, which come at random, would be mispredicted. So every
// symbol writes a column: a filler writes to the place of the next kept weight,
// which overwrites it (there is one, since the last symbol is no filler). Only
// the end of a row takes a branch. (Flat positions first, and rows in a second
// pass, were slower.)
void WalkGapsPortable(const uint8_t* stop, uint64_t row_length, uint32_t filler,
                      GapWalk* walk) {
  const uint8_t* symbol = walk->gap;
  uint32_t* next = walk->next;
  const auto length = static_cast<int64_t>(row_length);
  int64_t offset = walk->offset;
  for (; symbol != stop; ++symbol) {
    const uint32_t gap = *symbol;
    const uint32_t is_kept = gap != filler;
    offset += gap;
    if (offset >= length && is_kept != 0) {
      for (; offset >= length; offset -= length) {
        walk->row_begin[++walk->row] =
            static_cast<uint32_t>(next - walk->columns);
      }
    }
    *next = static_cast<uint32_t>(offset);
    next += is_kept;
    offset += is_kept;
  }
  walk->gap = symbol;
  walk->next = next;
  walk->offset = offset;
}

void WalkGaps(const uint8_t* begin, const uint8_t* end, uint32_t filler,
              uint64_t row_length, int64_t offset, size_t num_rows,
              size_t num_kept, uint32_t* row_begin, uint32_t* columns) {
  GapWalk walk;
  walk.gap = begin;
  walk.next = columns;
  walk.columns = columns;
  walk.columns_end = columns + num_kept;
  walk.row_begin = row_begin;
  walk.offset = offset;
  row_begin[0] = 0;
  WalkGapsTo(end, row_length, filler, &walk);
  while (walk.row < num_rows) {
    row_begin[++walk.row] = static_cast<uint32_t>(num_kept);
  }
}

}  // namespace keras_dc
