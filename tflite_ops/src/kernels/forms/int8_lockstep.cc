#include "kernels/forms/int8_lockstep.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/forms/weight_words.h"

namespace keras_dc {
namespace {

[[maybe_unused]] constexpr size_t kSlots = Int8Lockstep::kSlots;
[[maybe_unused]] constexpr size_t kUnit = Int8Lockstep::kUnit;

std::vector<uint32_t> RowsByLength(const SparseRows& weights, size_t lanes) {
  std::vector<uint32_t> rows(static_cast<size_t>(weights.num_rows));
  std::iota(rows.begin(), rows.end(), 0u);
  const auto length = [&weights](uint32_t row) {
    return weights.row_begin[row + 1] - weights.row_begin[row];
  };
  std::stable_sort(rows.begin(), rows.end(), [&length](uint32_t a, uint32_t b) {
    return length(a) > length(b);
  });
  rows.resize((rows.size() + lanes - 1) / lanes * lanes, UINT32_MAX);
  return rows;
}

}  // namespace

Int8Lockstep Int8Lockstep::Pack(const SparseRows& weights,
                                const Int8LockstepShape& shape) {
  Int8Lockstep packed;
  packed.lanes = shape.lanes;
  const auto num_columns = static_cast<size_t>(weights.num_columns);
  packed.has_words = weights.columns.size() >=
                     kMinWeightsPerWord * CountWords(weights, num_columns);
  const SparseRows words =
      packed.has_words ? WordsOf(weights, num_columns, false) : SparseRows();
  // Weights or words.
  const SparseRows& items = packed.has_words ? words : weights;
  const size_t item_size = packed.has_words ? kSlots : 1;
  const size_t lane_items = kSlots / item_size;
  const size_t window = shape.window / item_size, unit = kUnit / item_size;
  packed.row_of_lane = RowsByLength(items, shape.lanes);
  packed.group_begin.push_back(0);
  // The entries of each row that are left.
  std::vector<size_t> next(shape.lanes), end(shape.lanes);
  for (size_t lane = 0; lane < packed.row_of_lane.size(); lane += shape.lanes) {
    for (size_t l = 0; l < shape.lanes; ++l) {
      const uint32_t row = packed.row_of_lane[lane + l];
      next[l] = row == UINT32_MAX ? 0 : items.row_begin[row];
      end[l] = row == UINT32_MAX ? 0 : items.row_begin[row + 1];
    }
    while (true) {
      size_t first = SIZE_MAX;
      for (size_t l = 0; l < shape.lanes; ++l) {
        if (next[l] < end[l]) {
          first = std::min<size_t>(first, items.columns[next[l]]);
        }
      }
      if (first == SIZE_MAX) break;
      first -= first % unit;
      const size_t step = packed.num_steps();
      packed.windows.push_back(static_cast<uint16_t>(first / unit));
      packed.columns.resize((step + 1) * shape.lanes * lane_items);
      packed.weights.resize((step + 1) * shape.lanes * kSlots);
      for (size_t l = 0; l < shape.lanes; ++l) {
        for (size_t i = 0; i < lane_items && next[l] < end[l]; ++i) {
          const size_t column = items.columns[next[l]] - first;
          if (column >= window) break;
          const size_t slot = (step * shape.lanes + l) * lane_items + i;
          packed.columns[slot] = static_cast<uint8_t>(column);
          std::memcpy(&packed.weights[slot * item_size],
                      items.ValueAt(next[l], item_size), item_size);
          ++next[l];
        }
      }
    }
    packed.group_begin.push_back(packed.num_steps());
  }
  ReleaseSpare(&packed.columns);
  ReleaseSpare(&packed.weights);
  return packed;
}

size_t Int8Lockstep::size_bytes() const {
  return row_of_lane.size() * sizeof(uint32_t) +
         group_begin.size() * sizeof(size_t) +
         windows.size() * sizeof(uint16_t) + columns.size() + weights.size();
}

}  // namespace keras_dc
