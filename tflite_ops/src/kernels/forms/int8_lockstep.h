// The lockstep form of int8 weights, for products with one vector: sixteen rows
// side by side, the lanes of an AVX-512 register.
//
// Columns are cut into windows of 128, whose inputs fill two registers: a
// permute looks up two inputs for each of the sixteen rows. A *step* holds for
// each lane two slots of (column in the window, weight). A row with fewer
// weights in a window than the others fills its slots with the weight 0.
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
  static constexpr size_t kSlots = 2;
  static constexpr size_t kWindow = 128;
  // Numbers of windows have 16 bits.
  static constexpr size_t kMaxColumns = kWindow << 16;

  // Row of each lane, group by group; rows of about the same length stand
  // together. UINT32_MAX for a lane without a row.
  std::vector<uint32_t> row_of_lane;
  // The first step of each group; and the end.
  std::vector<size_t> group_begin;
  // The window of each step.
  std::vector<uint16_t> windows;
  // kLanes * kSlots for each step: column in the window + 256 * weight.
  AlignedVector<uint16_t> slots;

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
  const uint16_t* slots;
};

// sums[row] += weights * (input, as unsigned numbers), for the groups
// [begin_group, end_group).
//
// Args:
//   input: a byte for each column, up to a whole window.
//   sums: 32-bit integers, from row 0 on.
void RunInt8LockstepVnni(const Int8LockstepView& rows, size_t begin_group,
                         size_t end_group, const uint8_t* input, int32_t* sums);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_INT8_LOCKSTEP_H_
