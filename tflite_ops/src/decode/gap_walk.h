// From gap symbols to columns, as far as no check is needed (FORMAT.md, 4).
#ifndef KERAS_DC_SRC_DECODE_GAP_WALK_H_
#define KERAS_DC_SRC_DECODE_GAP_WALK_H_

#include <cstddef>
#include <cstdint>

namespace keras_dc {

// What gap symbols add up to.
struct GapTotals {
  uint64_t num_kept = 0;
  uint64_t num_zeros = 0;
};

// What `size` gap symbols add up to.
GapTotals AddGaps(const uint8_t* gaps, size_t size, uint32_t filler);

// How far a walk over gap symbols has come. Their totals were checked: all
// columns fit, and all rows that are reached have their place.
struct GapWalk {
  const uint8_t* gap = nullptr;
  uint32_t* next = nullptr;  // where the next column goes
  const uint32_t* columns = nullptr;
  const uint32_t* columns_end = nullptr;
  uint32_t* row_begin = nullptr;
  size_t row = 0;
  // In the row; negative where a gap begins in a row before the walk.
  int64_t offset = 0;
};

// Walks to `stop`, in rows of `row_length` weights. May write beyond the
// columns that it reaches, as many as kMaxColumnsBeyond, but never beyond
// `columns_end`.
void WalkGapsTo(const uint8_t* stop, uint64_t row_length, uint32_t filler,
                GapWalk* walk);

inline constexpr size_t kMaxColumnsBeyond = 64;

// Walks gap symbols over rows of `row_length` weights, to `num_rows + 1` row
// starts and a column for each kept weight. The first symbol begins at `offset`
// in the first row, or before it where that is negative. To be called with
// symbols that keep `num_kept` weights, all in these rows, and whose last one
// is no filler.
void WalkGaps(const uint8_t* begin, const uint8_t* end, uint32_t filler,
              uint64_t row_length, int64_t offset, size_t num_rows,
              size_t num_kept, uint32_t* row_begin, uint32_t* columns);

// AddGaps and WalkGapsTo for any machine and for x86 with AVX-512.
GapTotals AddGapsPortable(const uint8_t* gaps, size_t size, uint32_t filler);
GapTotals AddGapsAvx512(const uint8_t* gaps, size_t size, uint32_t filler);
void WalkGapsPortable(const uint8_t* stop, uint64_t row_length, uint32_t filler,
                      GapWalk* walk);
void WalkGapsAvx512(const uint8_t* stop, uint64_t row_length, uint32_t filler,
                    GapWalk* walk);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_GAP_WALK_H_
