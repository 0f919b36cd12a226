#include "kernels/lockstep_weights.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

namespace keras_dc {
namespace {

constexpr size_t kLanes = LockstepWeights::kLanes;
constexpr size_t kWindows = LockstepWeights::kBlockWindows;
constexpr size_t kSlotsPerWord = LockstepWeights::kSlotsPerWord;
constexpr int kSlots = static_cast<int>(kSlotsPerWord);
constexpr size_t kMaxWords =
    (LockstepWeights::kWindowColumns + LockstepWeights::kSlotsPerWord - 1) /
    LockstepWeights::kSlotsPerWord;
// Weights in a word from which on it beats gathers; measured.
constexpr int kMinWeightsPerWord = 9;
// Share of the weights whose centroids must fit the words.
constexpr double kMinShareInWords = 0.9;

using Counts = std::array<uint32_t, 256>;

Counts CountCentroids(const SparseTensor& weights) {
  Counts counts = {};
  for (const uint8_t index : weights.indices) ++counts[index];
  return counts;
}

// Centroids, the most frequent first.
std::array<uint8_t, 256> ByFrequency(const Counts& counts) {
  std::array<uint8_t, 256> order;
  std::iota(order.begin(), order.end(), uint8_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](uint8_t a, uint8_t b) { return counts[a] > counts[b]; });
  return order;
}

// Rows of like length side by side, the longest first.
std::vector<uint32_t> SortRows(const SparseTensor& weights) {
  const auto num_rows = static_cast<size_t>(weights.num_rows);
  const auto length = [&](uint32_t row) {
    return weights.row_begin[row + 1] - weights.row_begin[row];
  };
  std::vector<uint32_t> rows(num_rows);
  std::iota(rows.begin(), rows.end(), 0u);
  std::stable_sort(rows.begin(), rows.end(), [&](uint32_t a, uint32_t b) {
    return length(a) > length(b);
  });
  return rows;
}

// Packs one cell after the other.
class Packer {
 public:
  Packer(const SparseTensor& weights, LockstepWeights* packed)
      : weights_(weights), packed_(*packed) {
    next_.resize(packed_.num_groups * kLanes);
    for (size_t lane = 0; lane < next_.size(); ++lane) {
      const uint32_t row = packed_.row_of_lane[lane];
      next_[lane] = row < packed_.num_rows ? weights.row_begin[row] : 0;
    }
  }

  // The code of each centroid.
  std::array<uint16_t, 256> codes;

  void PackCell(size_t block, size_t group) {
    BeginCell();
    CountCell(block, group);
    size_t num_rest = 0;
    const size_t num_windows = ChooseWords(&num_rest);
    PlaceWindows(num_windows);
    packed_.rest_columns.resize(packed_.rest_columns.size() +
                                num_rest * kLanes);
    packed_.rest_codes.resize(packed_.rest_columns.size());
    FillCell(block, group);
  }

  void BeginCell() {
    LockstepWeights::Cell cell;
    cell.word = static_cast<uint32_t>(packed_.words.size() / kLanes);
    cell.window = static_cast<uint32_t>(packed_.windows.size());
    cell.run = static_cast<uint32_t>(packed_.runs.size());
    cell.rest = static_cast<uint32_t>(packed_.rest_columns.size() / kLanes);
    packed_.cells.push_back(cell);
  }

 private:
  struct Window {
    // How many weights each lane has.
    std::array<uint8_t, kLanes> counts;
    uint8_t num_words;
    // Where the words are, from the first of the cell.
    uint32_t word;
  };

  size_t EndOf(size_t lane) const {
    const uint32_t row = packed_.row_of_lane[lane];
    return row < packed_.num_rows ? weights_.row_begin[row + 1] : 0;
  }

  bool FitsWords(size_t entry) const {
    return codes[weights_.indices[entry]] < LockstepWeights::kNumCodes;
  }

  void CountCell(size_t block, size_t group) {
    windows_ = {};
    num_rest_ = {};
    const size_t first = block * LockstepWeights::kBlockColumns;
    for (size_t l = 0; l < kLanes; ++l) {
      const size_t lane = group * kLanes + l;
      const size_t end = EndOf(lane);
      size_t e = next_[lane];
      for (; e < end; ++e) {
        const size_t column = weights_.columns[e] - first;
        if (column >= LockstepWeights::kBlockColumns) break;
        if (FitsWords(e)) {
          ++windows_[column / LockstepWeights::kWindowColumns].counts[l];
        } else {
          ++num_rest_[l];
        }
      }
      lane_end_[l] = e;
    }
  }

  // Sets `num_words` of each window and the greatest number of weights that a
  // lane leaves to the rest. Returns how many windows have words.
  size_t ChooseWords(size_t* num_rest) {
    size_t num_windows = 0;
    for (Window& window : windows_) {
      const uint8_t most =
          *std::max_element(window.counts.begin(), window.counts.end());
      size_t num_words = 0;
      for (int first = 0; first < most; first += kSlots, ++num_words) {
        int in_word = 0;
        for (const uint8_t count : window.counts) {
          in_word += std::clamp(count - first, 0, kSlots);
        }
        if (in_word < kMinWeightsPerWord) break;
      }
      window.num_words = static_cast<uint8_t>(num_words);
      if (num_words > 0) ++num_windows;
      const size_t num_slots = num_words * kSlotsPerWord;
      if (most <= num_slots) continue;
      for (size_t l = 0; l < kLanes; ++l) {
        if (window.counts[l] > num_slots) {
          num_rest_[l] += window.counts[l] - num_slots;
        }
      }
    }
    *num_rest = *std::max_element(num_rest_.begin(), num_rest_.end());
    return num_windows;
  }

  // Lays out the words of the cell, the windows sorted by their number.
  void PlaceWindows(size_t num_windows) {
    std::array<uint16_t, kMaxWords + 1> num_with = {};
    for (const Window& window : windows_) ++num_with[window.num_words];
    size_t num_words = packed_.words.size() / kLanes;
    size_t at = packed_.windows.size();
    packed_.windows.resize(at + num_windows);
    for (size_t n = 1; n <= kMaxWords; ++n) {
      if (num_with[n] == 0) continue;
      packed_.runs.push_back({static_cast<uint16_t>(n), num_with[n]});
      for (size_t w = 0; w < kWindows; ++w) {
        if (windows_[w].num_words != n) continue;
        packed_.windows[at++] = static_cast<uint8_t>(w);
        windows_[w].word = static_cast<uint32_t>(num_words);
        num_words += n;
      }
    }
    packed_.words.resize(num_words * kLanes);
  }

  void FillCell(size_t block, size_t group) {
    const size_t first = block * LockstepWeights::kBlockColumns;
    const size_t first_rest = size_t{packed_.cells.back().rest} * kLanes;
    for (size_t l = 0; l < kLanes; ++l) {
      size_t rest = first_rest + l;
      size_t last_window = kWindows;
      size_t slot = 0;
      for (size_t e = next_[group * kLanes + l]; e < lane_end_[l]; ++e) {
        const size_t column = weights_.columns[e] - first;
        const size_t w = column / LockstepWeights::kWindowColumns;
        const uint32_t code = codes[weights_.indices[e]];
        if (w != last_window) slot = 0;
        last_window = w;
        const Window& window = windows_[w];
        const size_t word = slot / kSlotsPerWord;
        if (FitsWords(e) && word < window.num_words) {
          const auto value =
              static_cast<uint32_t>(column % LockstepWeights::kWindowColumns |
                                    code << LockstepWeights::kFieldBits);
          packed_.words[(window.word + word) * kLanes + l] |=
              value << (slot % kSlotsPerWord * LockstepWeights::kSlotBits);
          ++slot;
        } else {
          packed_.rest_columns[rest] = static_cast<uint16_t>(column);
          packed_.rest_codes[rest] = static_cast<uint8_t>(code);
          rest += kLanes;
        }
      }
      next_[group * kLanes + l] = static_cast<uint32_t>(lane_end_[l]);
    }
  }

  const SparseTensor& weights_;
  LockstepWeights& packed_;
  // The first weight of each lane that is not packed yet.
  std::vector<uint32_t> next_;
  std::array<Window, kWindows> windows_;
  std::array<size_t, kLanes> lane_end_;
  // Weights that each lane leaves to the rest.
  std::array<size_t, kLanes> num_rest_;
};

}  // namespace

bool LockstepWeights::Suits(const SparseTensor& weights) {
  if (weights.indices.empty()) return false;
  const Counts counts = CountCentroids(weights);
  const std::array<uint8_t, 256> order = ByFrequency(counts);
  // One code is the value 0.
  if (counts[order.back()] != 0) return false;
  size_t num_in_words = 0;
  for (size_t i = 0; i + 1 < kNumCodes; ++i) num_in_words += counts[order[i]];
  return static_cast<double>(num_in_words) >=
         kMinShareInWords * static_cast<double>(weights.indices.size());
}

LockstepWeights LockstepWeights::Pack(const SparseTensor& weights) {
  LockstepWeights packed;
  packed.num_rows = static_cast<size_t>(weights.num_rows);
  packed.num_columns = static_cast<size_t>(weights.num_columns);
  packed.num_groups = (packed.num_rows + kLanes - 1) / kLanes;
  packed.num_blocks = (packed.num_columns + kBlockColumns - 1) / kBlockColumns;
  packed.row_of_lane = SortRows(weights);
  packed.row_of_lane.resize(packed.num_groups * kLanes,
                            static_cast<uint32_t>(packed.num_rows));
  Packer packer(weights, &packed);
  const std::array<uint8_t, 256> order = ByFrequency(CountCentroids(weights));
  const size_t num_centroids = weights.codebook.size() / sizeof(float);
  packer.codes = {};
  for (size_t i = 0; i + 1 < kNumRestCodes; ++i) {
    packer.codes[order[i]] = static_cast<uint16_t>(i + 1);
    if (order[i] >= num_centroids) continue;
    std::memcpy(&packed.values[i + 1],
                &weights.codebook[order[i] * sizeof(float)], sizeof(float));
  }
  for (size_t block = 0; block < packed.num_blocks; ++block) {
    for (size_t group = 0; group < packed.num_groups; ++group) {
      packer.PackCell(block, group);
    }
  }
  packer.BeginCell();
  return packed;
}

size_t LockstepWeights::size_bytes() const {
  const auto bytes = [](const auto& v) { return v.size() * sizeof(v[0]); };
  return bytes(row_of_lane) + sizeof(values) + bytes(cells) + bytes(runs) +
         bytes(windows) + bytes(words) + bytes(rest_columns) +
         bytes(rest_codes);
}

}  // namespace keras_dc
