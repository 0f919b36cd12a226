// The values of a blob, as they are stored and as they are meant (FORMAT.md,
// 4).
#ifndef KERAS_DC_SRC_STORED_VALUES_H_
#define KERAS_DC_SRC_STORED_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "blob_reader.h"
#include "sparse_tensor.h"

namespace keras_dc {

// The codebook, or the values if there is none, as elements of the tensor's
// dtype. For a tensor without scales.
std::vector<uint8_t> StoredItems(const ParsedBlob& blob);
// `count` of them from item `first` on.
std::vector<uint8_t> StoredItems(const ParsedBlob& blob, size_t first,
                                 size_t count);

// The codebook and the scales of a scaled tensor.
void StoredScales(const ParsedBlob& blob, std::vector<double>* codebook,
                  std::vector<double>* scales);

// Puts `values` in the place of the indices of a scaled tensor, since every
// channel has centroids of its own. The rows of `lines` are the tensor's from
// `first_line` on, or its columns.
void ApplyScales(const ParsedBlob& blob, bool are_columns, size_t first_line,
                 SparseTensor* lines);

// Gives lines with offsets, and with indices if there is a codebook, their
// codebook or values. `first_entry` is the number of their first entry; the
// rest is as for ApplyScales.
void FillValues(const ParsedBlob& blob, size_t first_line, size_t first_entry,
                SparseTensor* lines);

// The sign of each centroid, by its highest bit.
std::vector<uint8_t> NegativeCentroids(const ParsedBlob& blob);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_STORED_VALUES_H_
