// What a tensor holds: which weights are not zero, and which values they take.
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
  // Bit patterns that occur among the kept weights, the most frequent first,
  // and how often; empty if there are more than kMaxCentroids.
  std::vector<uint32_t> patterns;
  std::vector<uint64_t> counts;
  // The place of each kept weight's pattern in `patterns`; empty with it.
  std::vector<uint8_t> indices;
};

// Renames the patterns so that the most frequent is first, and counts them.
// Code lengths then ascend, and a table of ascending lengths takes the fewest
// bits. Equal counts go by pattern, so that a tensor has one blob.
void SortByFrequency(Palette* palette);

// `values` holds `num_weights` elements of `item_size` bytes: 1, 2 or 4.
Palette FindPalette(const void* values, size_t num_weights, size_t item_size);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_PALETTE_H_
