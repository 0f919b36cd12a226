#include "kernels/forms/int8_lockstep.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

#include "kernels/forms/weight_words.h"

namespace keras_dc {
namespace {

constexpr size_t kLanes = Int8Lockstep::kLanes;
constexpr size_t kSlots = Int8Lockstep::kSlots;

std::vector<uint32_t> RowsByLength(const SparseRows& weights) {
  std::vector<uint32_t> rows(static_cast<size_t>(weights.num_rows));
  std::iota(rows.begin(), rows.end(), 0u);
  const auto length = [&weights](uint32_t row) {
    return weights.row_begin[row + 1] - weights.row_begin[row];
  };
  std::stable_sort(rows.begin(), rows.end(), [&length](uint32_t a, uint32_t b) {
    return length(a) > length(b);
  });
  rows.resize((rows.size() + kLanes - 1) / kLanes * kLanes, UINT32_MAX);
  return rows;
}

}  // namespace

Int8Lockstep Int8Lockstep::Pack(const SparseRows& weights) {
  Int8Lockstep packed;
  packed.row_of_lane = RowsByLength(weights);
  packed.group_begin.push_back(0);
  for (size_t lane = 0; lane < packed.row_of_lane.size(); lane += kLanes) {
    // The entries of each row that are left.
    std::array<size_t, kLanes> next = {}, end = {};
    for (size_t l = 0; l < kLanes; ++l) {
      const uint32_t row = packed.row_of_lane[lane + l];
      if (row == UINT32_MAX) continue;
      next[l] = weights.row_begin[row];
      end[l] = weights.row_begin[row + 1];
    }
    while (true) {
      size_t first = SIZE_MAX;
      for (size_t l = 0; l < kLanes; ++l) {
        if (next[l] < end[l]) {
          first = std::min<size_t>(first, weights.columns[next[l]]);
        }
      }
      if (first == SIZE_MAX) break;
      first -= first % kUnit;
      packed.windows.push_back(static_cast<uint16_t>(first / kUnit));
      const size_t step = packed.slots.size();
      packed.slots.resize(step + 2 * kStepSlots);
      for (size_t l = 0; l < kLanes; ++l) {
        for (size_t i = 0; i < kSlots && next[l] < end[l]; ++i, ++next[l]) {
          const size_t column = weights.columns[next[l]] - first;
          if (column >= kWindow) break;
          const size_t slot = step + l * kSlots + i;
          packed.slots[slot] = static_cast<uint8_t>(column);
          packed.slots[slot + kStepSlots] =
              static_cast<uint8_t>(Int8At(weights, next[l]));
        }
      }
    }
    packed.group_begin.push_back(packed.num_steps());
  }
  ReleaseSpare(&packed.slots);
  return packed;
}

size_t Int8Lockstep::size_bytes() const {
  return row_of_lane.size() * sizeof(uint32_t) +
         group_begin.size() * sizeof(size_t) +
         windows.size() * sizeof(uint16_t) + slots.size();
}

}  // namespace keras_dc
