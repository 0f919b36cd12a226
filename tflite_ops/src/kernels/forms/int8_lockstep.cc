#include "kernels/forms/int8_lockstep.h"

#include <algorithm>
#include <array>
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
  const auto num_columns = static_cast<size_t>(weights.num_columns);
  const size_t num_windows = (num_columns + kWindow - 1) / kWindow;
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
    for (size_t window = 0; window < num_windows; ++window) {
      const size_t last_column = (window + 1) * kWindow;
      const size_t first_step = packed.num_steps();
      for (size_t l = 0; l < kLanes; ++l) {
        for (size_t i = 0; next[l] < end[l]; ++i, ++next[l]) {
          const size_t e = next[l];
          if (weights.columns[e] >= last_column) break;
          const size_t step = first_step + i / kSlots;
          if (step == packed.num_steps()) {
            packed.windows.push_back(static_cast<uint16_t>(window));
            packed.slots.resize(packed.slots.size() + kLanes * kSlots);
          }
          const auto weight = static_cast<uint8_t>(Int8At(weights, e));
          packed.slots[(step * kLanes + l) * kSlots + i % kSlots] =
              static_cast<uint16_t>(weights.columns[e] % kWindow |
                                    uint32_t{weight} << 8);
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
         (windows.size() + slots.size()) * sizeof(uint16_t);
}

}  // namespace keras_dc
