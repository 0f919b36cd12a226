// The kept weights of a tensor and their distinct values.
#ifndef KERAS_DC_SRC_ENCODE_PALETTE_H_
#define KERAS_DC_SRC_ENCODE_PALETTE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace keras_dc {

// The kept weights of a tensor in C order. A weight is kept unless all its bits
// are zero, so -0.0 is kept.
struct Palette {
  std::vector<uint32_t> positions;  // flat, ascending
  // The distinct bit patterns of the kept weights, the most frequent first, and
  // how often each occurs; empty if there are more than kMaxCentroids.
  std::vector<uint32_t> patterns;
  std::vector<uint64_t> counts;
  // The place of each kept weight's pattern in `patterns`; empty if that is.
  std::vector<uint8_t> indices;
};

// Counts the patterns, and sorts them by count, the most frequent first. Code
// lengths then ascend, and a table of ascending lengths takes the fewest bits.
// Equal counts are sorted by pattern, so that a tensor has one blob only.
void SortByFrequency(Palette* palette);

// How many weights are kept, and whether a Palette would have their patterns.
struct KeptCount {
  size_t num_kept = 0;
  bool has_palette = true;
};

// `values` holds `num_weights` elements of `item_size` bytes: 1, 2 or 4.
KeptCount CountKept(const void* values, size_t num_weights, size_t item_size);
// Takes 5 bytes for each of the `num_kept` weights.
Palette FindPalette(const void* values, size_t num_weights, size_t item_size,
                    size_t num_kept);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_PALETTE_H_
