// Compiled for NEON (AArch64).
#include <arm_neon.h>

#include "decode/gap_walk.h"

namespace keras_dc {
namespace {

constexpr size_t kBlock = 16;
constexpr size_t kLanes = 4;

// For each set of four lanes, as bits, those that are not in it: how many, and
// the bytes of theirs, moved together.
struct Others {
  uint8_t count[16];
  uint8_t bytes[16][16];
};

constexpr Others MakeOthers() {
  Others others = {};
  for (unsigned set = 0; set < 16; ++set) {
    unsigned place = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      if ((set >> lane & 1) != 0) continue;
      for (unsigned i = 0; i < 4; ++i) {
        others.bytes[set][place++] = static_cast<uint8_t>(4 * lane + i);
      }
    }
    others.count[set] = static_cast<uint8_t>(place / 4);
  }
  return others;
}

constexpr Others kOthers = MakeOthers();

// Sums of 16 bits: lane i adds the lanes 0 to i.
inline uint16x8_t PrefixSums(uint16x8_t v) {
  const uint16x8_t zero = vdupq_n_u16(0);
  v = vaddq_u16(v, vextq_u16(zero, v, 7));
  v = vaddq_u16(v, vextq_u16(zero, v, 6));
  return vaddq_u16(v, vextq_u16(zero, v, 4));
}

// Writes the columns of the lanes that are not in `fillers`.
inline uint32_t* Write(uint32x4_t columns, uint32_t fillers, uint32_t* next) {
  const uint8x16_t moved = vqtbl1q_u8(vreinterpretq_u8_u32(columns),
                                      vld1q_u8(kOthers.bytes[fillers]));
  vst1q_u32(next, vreinterpretq_u32_u8(moved));
  return next + kOthers.count[fillers];
}

}  // namespace

GapTotals AddGapsNeon(const uint8_t* gaps, size_t size, uint32_t filler) {
  // Of so many steps a byte holds the number of fillers, and 16 bits the sum.
  constexpr size_t kSteps = 128;
  const uint8x16_t fillers = vdupq_n_u8(static_cast<uint8_t>(filler));
  GapTotals totals;
  size_t i = 0;
  while (size - i >= kBlock) {
    uint8x16_t num_fillers = vdupq_n_u8(0);
    uint16x8_t zeros = vdupq_n_u16(0);
    const size_t left = (size - i) / kBlock;
    const size_t steps = left < kSteps ? left : kSteps;
    for (size_t s = 0; s < steps; ++s, i += kBlock) {
      const uint8x16_t bytes = vld1q_u8(gaps + i);
      num_fillers = vsubq_u8(num_fillers, vceqq_u8(bytes, fillers));
      zeros = vpadalq_u8(zeros, bytes);
    }
    totals.num_kept += steps * kBlock - vaddlvq_u8(num_fillers);
    totals.num_zeros += vaddlvq_u16(zeros);
  }
  const GapTotals rest = AddGapsPortable(gaps + i, size - i, filler);
  return {totals.num_kept + rest.num_kept, totals.num_zeros + rest.num_zeros};
}

// A symbol that keeps a weight steps over its zeros and that weight, a filler
// over its zeros; a column is 1 less than the sum of steps up to its own. A
// block in which a row ends is left to the portable code.
void WalkGapsNeon(const uint8_t* stop, uint64_t row_length, uint32_t filler,
                  GapWalk* walk) {
  const uint8x16_t fillers = vdupq_n_u8(static_cast<uint8_t>(filler));
  const uint8x16_t one = vdupq_n_u8(1);
  const uint8x16_t lane_bits = vreinterpretq_u8_u32(vdupq_n_u32(0x08040201));
  const auto length = static_cast<int64_t>(row_length);
  while (stop - walk->gap >= static_cast<ptrdiff_t>(kBlock) &&
         walk->columns_end - walk->next >= static_cast<ptrdiff_t>(kBlock)) {
    const uint8_t* symbol = walk->gap;
    uint32_t* next = walk->next;
    int64_t offset = walk->offset;
    uint32x4_t before = vdupq_n_u32(static_cast<uint32_t>(offset) - 1);
    bool is_row_end = false;
    do {
      const uint8x16_t bytes = vld1q_u8(symbol);
      const uint8x16_t is_filler = vceqq_u8(bytes, fillers);
      const uint8x16_t steps = vaddq_u8(bytes, vaddq_u8(is_filler, one));
      const int64_t end = offset + vaddlvq_u8(steps);
      is_row_end = end > length;
      if (is_row_end) break;
      const uint16x8_t low = PrefixSums(vmovl_u8(vget_low_u8(steps)));
      const uint16x8_t high =
          vaddq_u16(PrefixSums(vmovl_high_u8(steps)), vdupq_laneq_u16(low, 7));
      // A byte for each four symbols.
      uint8x16_t sets = vandq_u8(is_filler, lane_bits);
      sets = vpaddq_u8(sets, sets);
      sets = vpaddq_u8(sets, sets);
      const uint32_t set = vgetq_lane_u32(vreinterpretq_u32_u8(sets), 0);
      next = Write(vaddw_u16(before, vget_low_u16(low)), set & 15, next);
      next = Write(vaddw_high_u16(before, low), set >> 8 & 15, next);
      next = Write(vaddw_u16(before, vget_low_u16(high)), set >> 16 & 15, next);
      next = Write(vaddw_high_u16(before, high), set >> 24, next);
      before = vaddw_u16(before, vdup_laneq_u16(high, 7));
      offset = end;
      symbol += kBlock;
    } while (stop - symbol >= static_cast<ptrdiff_t>(kBlock) &&
             walk->columns_end - next >= static_cast<ptrdiff_t>(kBlock));
    walk->gap = symbol;
    walk->next = next;
    walk->offset = offset;
    if (is_row_end) WalkGapsPortable(symbol + kBlock, row_length, filler, walk);
  }
  WalkGapsPortable(stop, row_length, filler, walk);
}

}  // namespace keras_dc
