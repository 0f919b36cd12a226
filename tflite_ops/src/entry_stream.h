// The entries of a blob in the order of its scan, block by block: memory for
// one Huffman stream of each kind is all that is needed.
#ifndef KERAS_DC_SRC_ENTRY_STREAM_H_
#define KERAS_DC_SRC_ENTRY_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "blob_reader.h"
#include "decoder.h"
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

  // Whether ForEachBlock can be called: the scan goes row by row.
  bool is_by_rows() const { return blob_.info.column_major == 0; }

  // Calls `visit(block, first_row)` for blocks of `block_rows` rows, the last
  // one of fewer, as they are decoded: memory for one of them is all that is
  // needed. Decodes and checks as AddProduct does; what `visit` returns other
  // than KDC_OK ends the walk, and is returned.
  kdc_status ForEachBlock(
      size_t block_rows,
      const std::function<kdc_status(const SparseTensor& block,
                                     size_t first_row)>& visit);

 private:
  // Calls `visit(line, offset, index)` for each entry in the order of the scan:
  // index of the centroid, and place in the scan's lines, rows or columns.
  template <typename Visit>
  kdc_status ForEachEntry(Visit visit);
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
