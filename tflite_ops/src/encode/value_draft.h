// Drafts of tensors whose values are stored without a codebook.
#ifndef KERAS_DC_SRC_ENCODE_VALUE_DRAFT_H_
#define KERAS_DC_SRC_ENCODE_VALUE_DRAFT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/format.h"
#include "encode/blob_writer.h"

namespace keras_dc {

// Size in bits of values, or of a codebook, stored in the smallest way.
uint64_t ValueBits(const std::vector<uint32_t>& patterns, int32_t dtype);
uint64_t CentroidBits(const std::vector<uint32_t>& patterns, int32_t dtype);

// The smallest draft without gaps: values as they are or by byte planes, with
// one line class or two, by rows or by columns. It may read `values` for as
// long as it lives.
Draft DraftValues(const uint8_t* values, size_t num_weights, int32_t dtype,
                  const MatrixShape& matrix, uint64_t* size_bits);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_VALUE_DRAFT_H_
