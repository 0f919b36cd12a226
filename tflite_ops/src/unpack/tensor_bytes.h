// Tensors of a packed file: from blobs, and from the base (PACK.md, 3.4).
#ifndef KERAS_DC_SRC_UNPACK_TENSOR_BYTES_H_
#define KERAS_DC_SRC_UNPACK_TENSOR_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/scratch_vector.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// A dense tensor: an element of `dtype` each, int4 a byte each, C order.
struct DenseTensor {
  int32_t dtype = KDC_FLOAT32;
  int32_t rank = 0;
  int64_t shape[KDC_MAX_RANK] = {};
  ScratchVector<uint8_t> items;
};

// A blob as it is stored in a packed file: without magic and checksum.
std::vector<uint8_t> WholeBlob(const uint8_t* body, size_t size);

// KDC_TOO_LARGE if the tensor takes more than `most_bytes` in a file or has
// more than `most_weights` weights.
kdc_status DecodeTensor(const uint8_t* blob, size_t size, uint64_t most_bytes,
                        uint64_t most_weights, DenseTensor* tensor);

// The weights as patterns, in C order, and back.
std::vector<uint32_t> PatternsOf(const DenseTensor& tensor);
void SetPatterns(const std::vector<uint32_t>& patterns, DenseTensor* tensor);

// The bytes that a .tflite file holds: two int4 share a byte.
void PackInt4(DenseTensor* tensor);
// The number of those bytes.
uint64_t StoredBytes(int32_t dtype, uint64_t num_weights);
// The inverse of PackInt4 for a tensor of this shape; `stored` has
// StoredBytes() bytes.
void ReadStored(const uint8_t* stored, DenseTensor* tensor);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_UNPACK_TENSOR_BYTES_H_
