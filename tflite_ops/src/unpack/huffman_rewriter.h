// Makes a Huffman-coded blob again from its values and a recipe (PACK.md, 3.5).
#ifndef KERAS_DC_SRC_UNPACK_HUFFMAN_REWRITER_H_
#define KERAS_DC_SRC_UNPACK_HUFFMAN_REWRITER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "keras_dc/codec.h"

namespace keras_dc {

// A tensor without its coding. Weights are patterns, in C order.
struct PlainTensor {
  int32_t dtype = KDC_FLOAT32;
  int32_t rank = 0;
  int64_t shape[KDC_MAX_RANK] = {};
  std::vector<uint32_t> weights;
};

// With `is_by_index` each weight is 0 or one more than its cluster index, and
// the recipe holds the numbers of the blob as they are. KDC_BAD_STREAM if the
// recipe does not fit the tensor.
kdc_status RewriteHuffman(const PlainTensor& tensor, bool is_by_index,
                          const std::vector<uint8_t>& recipe,
                          std::vector<uint8_t>* blob);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_UNPACK_HUFFMAN_REWRITER_H_
