// The lockstep form of int8 weights, for products with one vector: as many rows
// side by side as a register has lanes of 32 bits.
//
// A *step* has a window of neighbouring columns, whose inputs fit a few
// registers, and for each lane four slots of (column in the window, weight): a
// permute looks up their inputs, and one instruction or a few add the four
// products. Windows overlap. Each begins where the row that lags behind most
// has its next weight, and the other rows run ahead of it as far as the window
// reaches. So few slots stay empty, which have the weight 0.
//
// Weights in blocks of 1x4 are words (weight_words.h), which have one column
// for four weights.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_INT8_LOCKSTEP_H_
#define KERAS_DC_SRC_KERNELS_FORMS_INT8_LOCKSTEP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"
#include "kernels/forms/aligned_vector.h"

namespace keras_dc {

// What a kernel takes.
struct Int8LockstepShape {
  size_t lanes = 0;
  // Columns of a window.
  size_t window = 0;
};

struct Int8Lockstep {
  static constexpr size_t kSlots = 4;
  // A window begins at a multiple of so many columns, whose number has 16 bits.
  static constexpr size_t kUnit = 16;
  static constexpr size_t kMaxColumns = kUnit << 16;
  static constexpr size_t kMaxWindow = 128;
  // With fewer, words take more memory than weights.
  static constexpr size_t kMinWeightsPerWord = 3;

  size_t lanes = 0;
  bool has_words = false;
  // Row of each lane, group by group; rows of about the same length stand
  // together. UINT32_MAX for a lane without a row.
  std::vector<uint32_t> row_of_lane;
  // The first step of each group; and the end.
  std::vector<size_t> group_begin;
  // Where the window of each step begins, in units.
  std::vector<uint16_t> windows;
  // For each lane of each step kSlots columns in the window, or of a word its
  // number there.
  AlignedVector<uint8_t> columns;
  // For each lane of each step kSlots weights.
  AlignedVector<uint8_t> weights;

  static Int8Lockstep Pack(const SparseRows& weights,
                           const Int8LockstepShape& shape);

  size_t num_groups() const { return group_begin.size() - 1; }
  size_t num_steps() const { return windows.size(); }
  size_t size_bytes() const;
};

// Int8Lockstep as plain pointers, see LockstepView.
struct Int8LockstepView {
  explicit Int8LockstepView(const Int8Lockstep& rows)
      : has_words(rows.has_words),
        row_of_lane(rows.row_of_lane.data()),
        group_begin(rows.group_begin.data()),
        windows(rows.windows.data()),
        columns(rows.columns.data()),
        weights(rows.weights.data()) {}

  bool has_words;
  const uint32_t* row_of_lane;
  const size_t* group_begin;
  const uint16_t* windows;
  const uint8_t* columns;
  const uint8_t* weights;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_INT8_LOCKSTEP_H_
