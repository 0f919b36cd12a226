// Parts of a draft that tensors with and without scales share.
#ifndef KERAS_DC_SRC_ENCODE_DRAFT_H_
#define KERAS_DC_SRC_ENCODE_DRAFT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/format.h"
#include "encode/blob_writer.h"
#include "encode/palette.h"

namespace keras_dc {

// Checks a shape and counts its weights.
kdc_status CountWeights(const int64_t* shape, int32_t rank,
                        uint64_t* num_weights);

// The bits of element `index`; an element has `item_size` bytes.
uint32_t PatternAt(const uint8_t* values, size_t item_size, size_t index);

// Chooses the cheaper scan, and codes its gaps. `*order` is the kept weight of
// `palette` that each entry is; it is empty if the order is the same.
void DraftPositions(const Palette& palette, const MatrixShape& matrix,
                    Draft* draft, std::vector<uint32_t>* order);

// Sets the cluster index of each entry, and the code of the indices.
void DraftIndices(const Palette& palette, const std::vector<uint32_t>& order,
                  Draft* draft);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_DRAFT_H_
