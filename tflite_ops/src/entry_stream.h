// The entries of a blob in the order of its scan, block by block: memory for
// one Huffman stream of each kind is all that is needed.
#ifndef KERAS_DC_SRC_ENTRY_STREAM_H_
#define KERAS_DC_SRC_ENTRY_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "blob_reader.h"
#include "keras_dc/codec.h"

namespace keras_dc {

class EntryStream {
 public:
  // Checks all of the blob but its streams; the blob must outlive this.
  // KDC_INVALID_ARGUMENT for a blob that cannot be read in this way: one
  // without gaps or without a codebook, with scales, of the arithmetic coder,
  // or not of float32.
  kdc_status Open(const uint8_t* bytes, size_t size);

  // Adds weights * input to `output`: (num_rows) from (num_columns). Every call
  // decodes all streams anew and checks them; `output` is unspecified unless
  // KDC_OK. May throw std::bad_alloc.
  kdc_status AddProduct(const float* input, float* output);

 private:
  // Decodes the next stream of indices if the last one is used up.
  kdc_status NextIndices();

  ParsedBlob blob_;
  std::vector<float> codebook_;
  std::vector<uint8_t> gaps_;
  std::vector<uint8_t> indices_;
  int next_index_stream_ = 0;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENTRY_STREAM_H_
