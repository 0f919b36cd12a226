// The lockstep form: a sparse matrix for products with one vector. Sixteen rows
// stand side by side, the lanes of an AVX-512 register.
//
// Gathers are slow, permutes of registers are fast. So columns are cut into
// windows of 32, whose inputs fill two registers: a permute looks up one input
// for each of the sixteen rows, and another one looks up the centroids. A
// *word* holds for each lane three slots of (column in the window, code of the
// centroid), 5 bits each. A row with fewer weights in a window than the others
// fills its slots with code 0, whose value is 0. A word that few rows would use
// is not made: these weights go to the *rest*, which is computed with gathers.
//
// Branches on random numbers are slow, too. The windows of a *cell*, a group of
// sixteen rows in a block of columns, are sorted by their number of words: each
// number then has one loop.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_LOCKSTEP_WEIGHTS_H_
#define KERAS_DC_SRC_KERNELS_FORMS_LOCKSTEP_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"
#include "kernels/forms/aligned_vector.h"

namespace keras_dc {

struct LockstepWeights {
  static constexpr size_t kLanes = 16;
  static constexpr size_t kWindowColumns = 32;
  static constexpr size_t kSlotsPerWord = 3;
  static constexpr size_t kFieldBits = 5;
  static constexpr size_t kSlotBits = 2 * kFieldBits;
  // A block's inputs stay in the first-level cache.
  static constexpr size_t kBlockWindows = 256;
  static constexpr size_t kBlockColumns = kBlockWindows * kWindowColumns;
  // Codes in a word; code 0 is the value 0.
  static constexpr size_t kNumCodes = 32;
  // Codes in the rest.
  static constexpr size_t kNumRestCodes = 256;

  // `num_windows` windows of `num_words` words each.
  struct Run {
    uint16_t num_words = 0;
    uint16_t num_windows = 0;
  };

  // Where the parts of a cell begin; they end where the next cell's begin.
  struct Cell {
    uint32_t word = 0;
    uint32_t window = 0;
    uint32_t run = 0;
    uint32_t rest = 0;
  };

  size_t num_rows = 0;
  size_t num_columns = 0;
  size_t num_groups = 0;
  size_t num_blocks = 0;
  // Row of each lane, group by group; num_rows for a lane without a row.
  std::vector<uint32_t> row_of_lane;
  // The value of each code; codes of words come first.
  float values[kNumRestCodes] = {};
  // Block by block, in a block group by group; and one cell that marks the end.
  std::vector<Cell> cells;
  std::vector<Run> runs;
  // Number of the window in its block.
  std::vector<uint8_t> windows;
  // kLanes per word.
  AlignedVector<uint32_t> words;
  // kLanes per step: column in the block, and code.
  AlignedVector<uint16_t> rest_columns;
  AlignedVector<uint8_t> rest_codes;

  // True if the form is fast for the matrix: it has a codebook, and nearly all
  // weights have one of the centroids that fit in words.
  static bool Suits(const SparseRows& weights);

  // `weights` must suit.
  static LockstepWeights Pack(const SparseRows& weights);

  size_t size_bytes() const;

  // Calls `visit(row, column, value)` for each weight.
  template <typename Visit>
  void ForEach(Visit visit) const;
};

// LockstepWeights as plain pointers. A file that is compiled for newer
// instructions must not instantiate templates: the linker might use that copy
// for all files.
struct LockstepView {
  explicit LockstepView(const LockstepWeights& weights)
      : num_rows(weights.num_rows),
        num_groups(weights.num_groups),
        num_blocks(weights.num_blocks),
        row_of_lane(weights.row_of_lane.data()),
        values(weights.values),
        cells(weights.cells.data()),
        runs(weights.runs.data()),
        windows(weights.windows.data()),
        words(weights.words.data()),
        rest_columns(weights.rest_columns.data()),
        rest_codes(weights.rest_codes.data()) {}

  size_t num_rows;
  size_t num_groups;
  size_t num_blocks;
  const uint32_t* row_of_lane;
  const float* values;
  const LockstepWeights::Cell* cells;
  const LockstepWeights::Run* runs;
  const uint8_t* windows;
  const uint32_t* words;
  const uint16_t* rest_columns;
  const uint8_t* rest_codes;
};

// How words, which are read in order, are brought near before: a little ahead
// into the first cache, or far ahead into the second. On AMD Zen 4 the first
// cache cannot wait for as many lines as memory needs; Zen 5 can.
enum class Prefetch { kNear, kFar };

// output[row] = sum over columns of weights * input, for the groups
// [begin_group, end_group).
//
// Args:
//   input: num_columns floats, and zeros up to a whole window; aligned to a
//     cache line.
//   sums: num_groups * kLanes floats of scratch, aligned to a cache line.
//   output: (num_rows).
void RunLockstepAvx512(const LockstepView& weights, Prefetch prefetch,
                       size_t begin_group, size_t end_group, const float* input,
                       float* sums, float* output);

template <typename Visit>
void LockstepWeights::ForEach(Visit visit) const {
  constexpr uint32_t kFieldMask = (1u << kFieldBits) - 1;
  for (size_t c = 0; c + 1 < cells.size(); ++c) {
    const size_t first_column = c / num_groups * kBlockColumns;
    const uint32_t* rows = &row_of_lane[c % num_groups * kLanes];
    const uint8_t* window = windows.data() + cells[c].window;
    const uint32_t* word = words.data() + cells[c].word * kLanes;
    for (uint32_t r = cells[c].run; r < cells[c + 1].run; ++r) {
      for (uint16_t w = 0; w < runs[r].num_windows; ++w, ++window) {
        const size_t column = first_column + *window * kWindowColumns;
        const size_t size = size_t{runs[r].num_words} * kLanes;
        for (size_t i = 0; i < size; ++i, ++word) {
          for (uint32_t slots = *word; slots != 0; slots >>= kSlotBits) {
            const uint32_t code = slots >> kFieldBits & kFieldMask;
            if (code == 0) continue;
            visit(rows[i % kLanes], column + (slots & kFieldMask),
                  values[code]);
          }
        }
      }
    }
    for (size_t i = cells[c].rest * kLanes; i < cells[c + 1].rest * kLanes;
         ++i) {
      if (rest_codes[i] == 0) continue;
      visit(rows[i % kLanes], first_column + rest_columns[i],
            values[rest_codes[i]]);
    }
  }
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_LOCKSTEP_WEIGHTS_H_
