// The values of a blob, as they are stored and as they are meant (FORMAT.md,
// 4).
#ifndef KERAS_DC_SRC_STORED_VALUES_H_
#define KERAS_DC_SRC_STORED_VALUES_H_

#include <cstdint>
#include <vector>

#include "blob_reader.h"
#include "sparse_tensor.h"

namespace keras_dc {

// The codebook, or the values if there is none, as elements of the tensor's
// dtype. For a tensor without scales.
std::vector<uint8_t> StoredItems(const ParsedBlob& blob);

// The codebook and the scales of a scaled tensor.
void StoredScales(const ParsedBlob& blob, std::vector<double>* codebook,
                  std::vector<double>* scales);

// Puts `values` in the place of the indices of a scaled tensor, since every
// channel has centroids of its own.
void ApplyScales(const ParsedBlob& blob, SparseTensor* tensor);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_STORED_VALUES_H_
