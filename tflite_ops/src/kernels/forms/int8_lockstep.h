// The lockstep form of int8 weights, for products with one vector: sixteen rows
// side by side, the lanes of an AVX-512 register.
//
// A *step* has a window of 128 columns, whose inputs fill two registers, and
// for each lane four slots of (column in the window, weight): a permute looks
// up four inputs for each of the sixteen rows. Windows overlap. Each begins
// where the row that lags behind most has its next weight, and the other rows
// run ahead of it as far as the window reaches. So few slots stay empty, which
// have the weight 0.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_INT8_LOCKSTEP_H_
#define KERAS_DC_SRC_KERNELS_FORMS_INT8_LOCKSTEP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"
#include "kernels/forms/aligned_vector.h"

namespace keras_dc {

struct Int8Lockstep {
  static constexpr size_t kLanes = 16;
  static constexpr size_t kSlots = 4;
  static constexpr size_t kWindow = 128;
  // A window begins at a multiple of so many columns, whose number has 16 bits.
  static constexpr size_t kUnit = 16;
  static constexpr size_t kMaxColumns = kUnit << 16;
  static constexpr size_t kStepSlots = kLanes * kSlots;

  // Row of each lane, group by group; rows of about the same length stand
  // together. UINT32_MAX for a lane without a row.
  std::vector<uint32_t> row_of_lane;
  // The first step of each group; and the end.
  std::vector<size_t> group_begin;
  // Where the window of each step begins, in units.
  std::vector<uint16_t> windows;
  // For each step kStepSlots columns in the window, lane by lane, then as many
  // weights.
  AlignedVector<uint8_t> slots;

  static Int8Lockstep Pack(const SparseRows& weights);

  size_t num_groups() const { return group_begin.size() - 1; }
  size_t num_steps() const { return windows.size(); }
  size_t size_bytes() const;
};

// Int8Lockstep as plain pointers, see LockstepView.
struct Int8LockstepView {
  explicit Int8LockstepView(const Int8Lockstep& rows)
      : row_of_lane(rows.row_of_lane.data()),
        group_begin(rows.group_begin.data()),
        windows(rows.windows.data()),
        slots(rows.slots.data()) {}

  const uint32_t* row_of_lane;
  const size_t* group_begin;
  const uint16_t* windows;
  const uint8_t* slots;
};

// sums[row] += weights * (input, as unsigned numbers), for the groups
// [begin_group, end_group).
//
// Args:
//   input: a byte for each column, and kWindow behind them.
//   sums: 32-bit integers, from row 0 on.
void RunInt8LockstepVnni(const Int8LockstepView& rows, size_t begin_group,
                         size_t end_group, const uint8_t* input, int32_t* sums);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_INT8_LOCKSTEP_H_
