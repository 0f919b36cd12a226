// What the header of an arithmetic blob says of its streams (FORMAT.md, 3 and
// 9).
#ifndef KERAS_DC_SRC_COMMON_ENTRY_LAYOUT_H_
#define KERAS_DC_SRC_COMMON_ENTRY_LAYOUT_H_

#include <cstddef>
#include <cstdint>

namespace keras_dc {

// What an arithmetic stream holds. A line is a row, or a column in a scan by
// columns.
struct EntryLayout {
  uint64_t num_lines = 0;
  uint64_t line_length = 0;
  uint64_t num_kept = 0;
  // Whether positions are coded; otherwise all weights are kept.
  bool has_mask = false;
  // Indices: the number of centroids; 0 if values are coded by byte planes.
  size_t num_centroids = 0;
  // The byte planes that are coded.
  size_t num_planes = 0;
  // Whether the first of them is that of the highest bytes.
  bool has_highest_plane = false;
  // How positions are coded: weight by weight, or by gaps.
  bool has_mask_model = false;
  uint64_t period = 0;

  // Coded for each entry.
  size_t num_symbols() const {
    return num_centroids == 0 ? num_planes : num_centroids > 1 ? 1 : 0;
  }
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_ENTRY_LAYOUT_H_
