#include "kernels/forms/lockstep_weights.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

namespace keras_dc {
namespace {

constexpr size_t kLanes = LockstepWeights::kLanes;
constexpr size_t kWindows = LockstepWeights::kBlockWindows;
constexpr uint32_t kSlotsPerWord = LockstepWeights::kSlotsPerWord;
constexpr size_t kMaxWords =
    (LockstepWeights::kWindowColumns + LockstepWeights::kSlotsPerWord - 1) /
    LockstepWeights::kSlotsPerWord;
// With at least as many weights a word is faster than gathers; measured.
constexpr size_t kMinWeightsPerWord = 9;
// The share of the weights that must have a centroid with a code in words.
constexpr double kMinShareInWords = 0.9;

// The place of a slot of a window: its word, and its lowest bit.
struct Slot {
  uint16_t word;
  uint16_t shift;
};
constexpr size_t kMaxSlots = LockstepWeights::kWindowColumns + 1;

constexpr std::array<Slot, kMaxSlots> MakeSlots() {
  std::array<Slot, kMaxSlots> slots = {};
  for (size_t i = 0; i < kMaxSlots; ++i) {
    slots[i].word = static_cast<uint16_t>(i / kSlotsPerWord * kLanes);
    slots[i].shift =
        static_cast<uint16_t>(i % kSlotsPerWord * LockstepWeights::kSlotBits);
  }
  return slots;
}

constexpr std::array<Slot, kMaxSlots> kSlots = MakeSlots();

using Counts = std::array<uint32_t, 256>;
// The code of each centroid.
using Codes = std::array<uint16_t, 256>;

size_t NumCentroids(const SparseRows& weights) {
  return weights.codebook.size() / sizeof(float);
}

Counts CountCentroids(const SparseRows& weights) {
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

// Rows sorted by length, the longest first: neighbours are about equally long.
std::vector<uint32_t> SortRows(const SparseRows& weights) {
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
//
// The loops over weights have no branch that depends on a weight's place: these
// branches cannot be predicted, and took most of the time.
//
// kAllFit: whether every centroid has a code in words.
template <bool kAllFit>
class Packer {
 public:
  Packer(const SparseRows& weights, const Codes& codes, LockstepWeights* packed)
      : weights_(weights), codes_(codes), packed_(*packed) {
    next_.resize(packed_.num_groups * kLanes);
    for (size_t lane = 0; lane < next_.size(); ++lane) {
      const uint32_t row = packed_.row_of_lane[lane];
      next_[lane] = row < packed_.num_rows ? weights.row_begin[row] : 0;
    }
  }

  void PackAll() {
    for (size_t block = 0; block < packed_.num_blocks; ++block) {
      for (size_t group = 0; group < packed_.num_groups; ++group) {
        BeginCell();
        CountCell(block, group);
        const size_t num_windows = ChooseWords();
        PlaceWindows(num_windows);
        FillCell(block, group);
      }
    }
    BeginCell();
  }

 private:
  using LaneCounts = std::array<uint8_t, kLanes>;

  void BeginCell() {
    LockstepWeights::Cell cell;
    cell.word = static_cast<uint32_t>(packed_.words.size() / kLanes);
    cell.window = static_cast<uint32_t>(packed_.windows.size());
    cell.run = static_cast<uint32_t>(packed_.runs.size());
    cell.rest = static_cast<uint32_t>(packed_.rest_columns.size() / kLanes);
    packed_.cells.push_back(cell);
  }

  size_t EndOf(size_t lane) const {
    const uint32_t row = packed_.row_of_lane[lane];
    return row < packed_.num_rows ? weights_.row_begin[row + 1] : 0;
  }

  bool FitsWords(uint32_t code) const {
    return kAllFit || code < LockstepWeights::kNumCodes;
  }

  // Sets `counts_`, `lane_end_` and, to the number of weights without a code in
  // words, `num_rest_`.
  void CountCell(size_t block, size_t group) {
    counts_ = {};
    num_rest_ = {};
    const size_t first = block * LockstepWeights::kBlockColumns;
    const size_t behind = first + LockstepWeights::kBlockColumns;
    const uint32_t* columns = weights_.columns.data();
    const uint8_t* indices = weights_.indices.data();
    for (size_t l = 0; l < kLanes; ++l) {
      const size_t lane = group * kLanes + l;
      const size_t end = EndOf(lane);
      // The number of weights so far in the window of the last weight.
      size_t last_window = kWindows;
      uint32_t count = 0;
      size_t e = next_[lane];
      for (; e < end && columns[e] < behind; ++e) {
        const size_t w = (columns[e] - first) / LockstepWeights::kWindowColumns;
        count &= -static_cast<uint32_t>(w == last_window);
        last_window = w;
        if (kAllFit) {
          ++count;
        } else {
          const bool fits = FitsWords(codes_[indices[e]]);
          count += fits;
          num_rest_[l] += !fits;
        }
        counts_[w][l] = static_cast<uint8_t>(count);
      }
      lane_end_[l] = e;
    }
  }

  // Sets `num_slots_` of each window, and adds the weights beyond to
  // `num_rest_`. Returns the number of windows that have words.
  size_t ChooseWords() {
    size_t num_windows = 0;
    for (size_t w = 0; w < kWindows; ++w) {
      const LaneCounts counts = counts_[w];
      uint8_t num_slots = 0;
      LaneCounts left = counts;
      for (;;) {
        // Bytes, so that one SIMD register holds all lanes.
        uint8_t in_word = 0;
        for (const uint8_t n : left) {
          in_word = static_cast<uint8_t>(
              in_word + std::min(n, static_cast<uint8_t>(kSlotsPerWord)));
        }
        if (in_word < kMinWeightsPerWord) break;
        num_slots = static_cast<uint8_t>(num_slots + kSlotsPerWord);
        for (uint8_t& n : left) {
          n = static_cast<uint8_t>(
              std::max(n, static_cast<uint8_t>(kSlotsPerWord)) - kSlotsPerWord);
        }
      }
      num_slots_[w] = num_slots;
      num_windows += num_slots > 0;
      for (size_t l = 0; l < kLanes; ++l) num_rest_[l] += left[l];
    }
    return num_windows;
  }

  // Gives each window its words; windows are sorted by their number of words.
  void PlaceWindows(size_t num_windows) {
    std::array<uint16_t, kMaxWords + 2> begin = {};
    for (const uint8_t n : num_slots_) ++begin[n / kSlotsPerWord + 1];
    for (size_t n = 1; n <= kMaxWords; ++n) {
      if (begin[n + 1] == 0) continue;
      packed_.runs.push_back({static_cast<uint16_t>(n), begin[n + 1]});
    }
    // From counts to the places at which the windows, and the words, of each
    // number begin. Windows without words are left out.
    const size_t first_window = packed_.windows.size();
    const size_t first_word = packed_.words.size() / kLanes;
    std::array<size_t, kMaxWords + 1> window_at, word_at;
    size_t window = first_window, word = first_word;
    for (size_t n = 1; n <= kMaxWords; ++n) {
      window_at[n] = window;
      word_at[n] = word;
      window += begin[n + 1];
      word += begin[n + 1] * n;
    }
    packed_.windows.resize(first_window + num_windows);
    packed_.words.resize(word * kLanes);
    for (size_t w = 0; w < kWindows; ++w) {
      const size_t n = num_slots_[w] / kSlotsPerWord;
      if (n == 0) continue;
      packed_.windows[window_at[n]++] = static_cast<uint8_t>(w);
      word_begin_[w] =
          static_cast<uint32_t>((word_at[n] - first_word) * kLanes);
      word_at[n] += n;
    }
  }

  void FillCell(size_t block, size_t group) {
    const size_t first = block * LockstepWeights::kBlockColumns;
    const size_t num_steps =
        *std::max_element(num_rest_.begin(), num_rest_.end());
    const size_t first_rest = packed_.rest_columns.size();
    packed_.rest_columns.resize(first_rest + num_steps * kLanes);
    packed_.rest_codes.resize(packed_.rest_columns.size());
    // Every weight is written both to a word and to the rest; one of the two
    // writes goes to scrap.
    uint32_t scrap = 0;
    uint32_t* words =
        packed_.words.data() + size_t{packed_.cells.back().word} * kLanes;
    // Local pointers: a compiler must assume that a write of a byte may change
    // any member.
    const uint32_t* columns = weights_.columns.data();
    const uint8_t* indices = weights_.indices.data();
    for (size_t l = 0; l < kLanes; ++l) {
      rest_.resize(num_rest_[l] + 1);
      uint32_t* next_rest = rest_.data();
      size_t last_window = kWindows;
      uint32_t slot = 0;
      const size_t end = lane_end_[l];
      for (size_t e = next_[group * kLanes + l]; e < end; ++e) {
        const size_t column = columns[e] - first;
        const size_t w = column / LockstepWeights::kWindowColumns;
        const uint32_t code = codes_[indices[e]];
        slot &= -static_cast<uint32_t>(w == last_window);
        last_window = w;
        const bool is_in_words = FitsWords(code) && slot < num_slots_[w];
        const auto value =
            static_cast<uint32_t>(column % LockstepWeights::kWindowColumns |
                                  code << LockstepWeights::kFieldBits);
        const Slot place = kSlots[slot];
        // Words are zero at first.
        *(is_in_words ? words + word_begin_[w] + place.word + l : &scrap) |=
            value << place.shift;
        slot += kAllFit || is_in_words;
        *next_rest = static_cast<uint32_t>(column) | code << 16;
        next_rest += !is_in_words;
      }
      uint16_t* to_column = packed_.rest_columns.data() + first_rest + l;
      uint8_t* to_code = packed_.rest_codes.data() + first_rest + l;
      for (const uint32_t* r = rest_.data(); r != next_rest; ++r) {
        *to_column = static_cast<uint16_t>(*r);
        *to_code = static_cast<uint8_t>(*r >> 16);
        to_column += kLanes;
        to_code += kLanes;
      }
      next_[group * kLanes + l] = static_cast<uint32_t>(lane_end_[l]);
    }
  }

  const SparseRows& weights_;
  const Codes& codes_;
  LockstepWeights& packed_;
  // By lane: the first weight that is not packed yet.
  std::vector<uint32_t> next_;
  // For the current cell, by window and lane: weights with a code in words.
  std::array<LaneCounts, kWindows> counts_;
  // By window: the number of slots of its words, and the place of its first
  // word behind the cell's first word.
  std::array<uint8_t, kWindows> num_slots_;
  std::array<uint32_t, kWindows> word_begin_ = {};
  std::array<size_t, kLanes> lane_end_;
  // By lane: the number of weights in the rest. For one lane: these weights, as
  // column in the block, and code from bit 16 on.
  std::array<uint32_t, kLanes> num_rest_;
  std::vector<uint32_t> rest_;
};

}  // namespace

bool LockstepWeights::Suits(const SparseRows& weights) {
  if (weights.indices.empty()) return false;
  if (NumCentroids(weights) < kNumCodes) return true;
  const Counts counts = CountCentroids(weights);
  const std::array<uint8_t, 256> order = ByFrequency(counts);
  // One code is the value 0.
  if (counts[order.back()] != 0) return false;
  size_t num_in_words = 0;
  for (size_t i = 0; i + 1 < kNumCodes; ++i) num_in_words += counts[order[i]];
  return static_cast<double>(num_in_words) >=
         kMinShareInWords * static_cast<double>(weights.indices.size());
}

LockstepWeights LockstepWeights::Pack(const SparseRows& weights) {
  LockstepWeights packed;
  packed.num_rows = static_cast<size_t>(weights.num_rows);
  packed.num_columns = static_cast<size_t>(weights.num_columns);
  packed.num_groups = (packed.num_rows + kLanes - 1) / kLanes;
  packed.num_blocks = (packed.num_columns + kBlockColumns - 1) / kBlockColumns;
  packed.row_of_lane = SortRows(weights);
  packed.row_of_lane.resize(packed.num_groups * kLanes,
                            static_cast<uint32_t>(packed.num_rows));
  // No word has fewer weights. Memory that is never written costs nothing.
  packed.words.reserve(weights.indices.size() / kMinWeightsPerWord * kLanes);
  // The rest seldom needs more.
  packed.windows.reserve(packed.num_blocks * packed.num_groups * kWindows);
  packed.runs.reserve(packed.num_blocks * packed.num_groups * kMaxWords);
  packed.cells.reserve(packed.num_blocks * packed.num_groups + 1);
  packed.rest_columns.reserve(weights.indices.size() / 2);
  packed.rest_codes.reserve(weights.indices.size() / 2);
  // The order of the codes matters only if words have too few of them.
  const size_t num_centroids = NumCentroids(weights);
  const std::array<uint8_t, 256> order = ByFrequency(
      num_centroids < kNumCodes ? Counts{} : CountCentroids(weights));
  Codes codes = {};
  for (size_t i = 0; i + 1 < kNumRestCodes; ++i) {
    codes[order[i]] = static_cast<uint16_t>(i + 1);
    if (order[i] >= num_centroids) continue;
    std::memcpy(&packed.values[i + 1],
                &weights.codebook[order[i] * sizeof(float)], sizeof(float));
  }
  if (num_centroids < LockstepWeights::kNumCodes) {
    Packer<true>(weights, codes, &packed).PackAll();
  } else {
    Packer<false>(weights, codes, &packed).PackAll();
  }
  ReleaseSpare(&packed.words);
  ReleaseSpare(&packed.rest_columns);
  ReleaseSpare(&packed.rest_codes);
  return packed;
}

size_t LockstepWeights::size_bytes() const {
  const auto bytes = [](const auto& v) { return v.size() * sizeof(v[0]); };
  return bytes(row_of_lane) + sizeof(values) + bytes(cells) + bytes(runs) +
         bytes(windows) + bytes(words) + bytes(rest_columns) +
         bytes(rest_codes);
}

}  // namespace keras_dc
