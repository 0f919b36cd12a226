// Sixteen gap symbols a step (FORMAT.md, 4); for x86 with AVX-512.
#ifndef KERAS_DC_SRC_POSITIONS_AVX512_H_
#define KERAS_DC_SRC_POSITIONS_AVX512_H_

#include <cstddef>
#include <cstdint>

namespace keras_dc {

// What gap symbols add up to.
struct GapTotals {
  uint64_t num_kept = 0;
  uint64_t num_zeros = 0;
};

GapTotals AddGapsAvx512(const uint8_t* gaps, size_t size, uint8_t filler);

// How far a walk over gap symbols has come.
struct GapWalk {
  const uint8_t* gap = nullptr;
  const uint8_t* end = nullptr;
  uint32_t* next = nullptr;  // where the next column goes
  uint32_t* columns_end = nullptr;
  // In the row; negative where a gap begins in a row before the walk.
  int64_t offset = 0;
};

// Walks as long as whole steps stay in the row of `row_length` weights and in
// the memory for columns.
void WalkRowAvx512(uint64_t row_length, uint32_t filler, GapWalk* walk);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_POSITIONS_AVX512_H_
