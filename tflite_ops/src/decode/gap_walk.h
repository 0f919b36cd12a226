// From gap symbols that were checked to columns (FORMAT.md, 4).
#ifndef KERAS_DC_SRC_DECODE_GAP_WALK_H_
#define KERAS_DC_SRC_DECODE_GAP_WALK_H_

#include <cstddef>
#include <cstdint>

namespace keras_dc {

// Kept weights and zeros that gap symbols stand for.
struct GapTotals {
  uint64_t num_kept = 0;
  uint64_t num_zeros = 0;
};

GapTotals AddGaps(const uint8_t* gaps, size_t size, uint32_t filler);

// The state of a walk over gap symbols. Their totals were checked before: there
// is room for all columns, and for the starts of all rows that are reached.
struct GapWalk {
  const uint8_t* gap = nullptr;
  uint32_t* next = nullptr;  // where the next column goes
  const uint32_t* columns = nullptr;
  const uint32_t* columns_end = nullptr;
  uint32_t* row_begin = nullptr;
  size_t row = 0;
  // The offset in the row; negative if the first gap begins before the row.
  int64_t offset = 0;
};

// Walks to `stop`, in rows of `row_length` weights. Up to kMaxColumnsBeyond
// columns behind the last one may be overwritten, but none from `columns_end`
// on.
void WalkGapsTo(const uint8_t* stop, uint64_t row_length, uint32_t filler,
                GapWalk* walk);

inline constexpr size_t kMaxColumnsBeyond = 64;

// Walks gap symbols over rows of `row_length` weights. Writes `num_rows + 1`
// row starts, and a column for each kept weight. The first symbol begins at
// `offset` in the first row, which may be negative. The symbols must keep
// `num_kept` weights, all of them in these rows, and the last symbol must be no
// filler.
void WalkGaps(const uint8_t* begin, const uint8_t* end, uint32_t filler,
              uint64_t row_length, int64_t offset, size_t num_rows,
              size_t num_kept, uint32_t* row_begin, uint32_t* columns);

// AddGaps and WalkGapsTo for any machine, for x86 with AVX-512, and for NEON.
GapTotals AddGapsPortable(const uint8_t* gaps, size_t size, uint32_t filler);
GapTotals AddGapsAvx512(const uint8_t* gaps, size_t size, uint32_t filler);
GapTotals AddGapsNeon(const uint8_t* gaps, size_t size, uint32_t filler);
void WalkGapsPortable(const uint8_t* stop, uint64_t row_length, uint32_t filler,
                      GapWalk* walk);
void WalkGapsAvx512(const uint8_t* stop, uint64_t row_length, uint32_t filler,
                    GapWalk* walk);
void WalkGapsNeon(const uint8_t* stop, uint64_t row_length, uint32_t filler,
                  GapWalk* walk);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_GAP_WALK_H_
