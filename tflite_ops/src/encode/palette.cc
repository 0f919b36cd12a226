#include "encode/palette.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "common/format.h"

namespace keras_dc {
namespace {

// A hash table with open addressing, from bit pattern to index, for at most
// kMaxCentroids patterns. It is at most a quarter full, so a look-up ends after
// a probe or two.
class PatternTable {
 public:
  PatternTable() { slots_.fill(0); }

  // The index of `pattern`, which is added if it is new; -1 if the table is
  // full. No pattern is zero, so a slot of zero is free.
  int IndexOf(uint32_t pattern) {
    size_t slot = (pattern * 2654435769u) >> (32 - kSlotBits);
    while (slots_[slot] != pattern) {
      if (slots_[slot] == 0) {
        if (patterns_.size() == kMaxCentroids) return -1;
        slots_[slot] = pattern;
        indices_[slot] = static_cast<uint8_t>(patterns_.size());
        patterns_.push_back(pattern);
        break;
      }
      slot = (slot + 1) & (kNumSlots - 1);
    }
    return indices_[slot];
  }

  const std::vector<uint32_t>& patterns() const { return patterns_; }

 private:
  static constexpr int kSlotBits = 10;
  static constexpr size_t kNumSlots = size_t{1} << kSlotBits;

  std::array<uint32_t, kNumSlots> slots_;
  std::array<uint8_t, kNumSlots> indices_;
  std::vector<uint32_t> patterns_;
};

template <typename Pattern>
KeptCount Count(const uint8_t* values, size_t num_weights) {
  KeptCount count;
  PatternTable table;
  for (size_t i = 0; i < num_weights; ++i) {
    Pattern pattern;
    std::memcpy(&pattern, values + i * sizeof(Pattern), sizeof(Pattern));
    if (pattern == 0) continue;
    ++count.num_kept;
    if (count.has_palette) count.has_palette = table.IndexOf(pattern) >= 0;
  }
  return count;
}

template <typename Pattern>
void Collect(const uint8_t* values, size_t num_weights, Palette* palette) {
  PatternTable table;
  bool has_indices = true;
  for (size_t i = 0; i < num_weights; ++i) {
    Pattern pattern;
    std::memcpy(&pattern, values + i * sizeof(Pattern), sizeof(Pattern));
    if (pattern == 0) continue;
    palette->positions.push_back(static_cast<uint32_t>(i));
    if (!has_indices) continue;
    const int index = table.IndexOf(pattern);
    has_indices = index >= 0;
    if (has_indices) palette->indices.push_back(static_cast<uint8_t>(index));
  }
  if (has_indices) {
    palette->patterns = table.patterns();
  } else {
    palette->indices.clear();
  }
}

}  // namespace

void SortByFrequency(Palette* palette) {
  const size_t size = palette->patterns.size();
  std::vector<uint64_t> counts(size, 0);
  for (const uint8_t index : palette->indices) ++counts[index];
  std::vector<size_t> order(size);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (counts[a] != counts[b]) return counts[a] > counts[b];
    return palette->patterns[a] < palette->patterns[b];
  });
  std::vector<uint32_t> patterns(size);
  std::array<uint8_t, kMaxCentroids> renamed{};
  palette->counts.resize(size);
  for (size_t i = 0; i < size; ++i) {
    patterns[i] = palette->patterns[order[i]];
    palette->counts[i] = counts[order[i]];
    renamed[order[i]] = static_cast<uint8_t>(i);
  }
  palette->patterns.swap(patterns);
  for (uint8_t& index : palette->indices) index = renamed[index];
}

KeptCount CountKept(const void* values, size_t num_weights, size_t item_size) {
  const auto* bytes = static_cast<const uint8_t*>(values);
  switch (item_size) {
    case 1:
      return Count<uint8_t>(bytes, num_weights);
    case 2:
      return Count<uint16_t>(bytes, num_weights);
    default:
      return Count<uint32_t>(bytes, num_weights);
  }
}

Palette FindPalette(const void* values, size_t num_weights, size_t item_size,
                    size_t num_kept) {
  Palette palette;
  palette.positions.reserve(num_kept);
  const auto* bytes = static_cast<const uint8_t*>(values);
  switch (item_size) {
    case 1:
      Collect<uint8_t>(bytes, num_weights, &palette);
      break;
    case 2:
      Collect<uint16_t>(bytes, num_weights, &palette);
      break;
    default:
      Collect<uint32_t>(bytes, num_weights, &palette);
  }
  SortByFrequency(&palette);
  return palette;
}

}  // namespace keras_dc
