// Writes the bytes of a blob. The inverse of the blob reader.
#ifndef KERAS_DC_SRC_ENCODE_BLOB_WRITER_H_
#define KERAS_DC_SRC_ENCODE_BLOB_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/huffman.h"
#include "encode/gap_plan.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// The parts of a blob, decided but not written. All vectors are in scan order.
struct Draft {
  size_t num_entries = 0;  // weights with a cluster index or a value
  // Bits of the centroids if there is a codebook, otherwise of each value.
  bool has_codebook = false;
  std::vector<uint32_t> patterns;
  // Where this is not null, the values lie here and `patterns` is empty.
  const uint8_t* values = nullptr;
  std::vector<uint8_t> indices;
  CodeLengths index_lengths;
  // With gaps, only kept weights are entries; otherwise all weights are.
  bool has_gaps = false;
  bool column_major = false;
  GapPlan gaps;
  std::vector<uint8_t> gap_symbols;
  // Without gaps and codebook: the class of each line, 0 or 1; empty if there
  // is one class.
  std::vector<uint8_t> line_classes;
  // int8: what was taken from all weights.
  int32_t zero_point = 0;
  // With scales, `codebook` takes the place of `patterns`.
  kdc_scale_axis scale_axis = KDC_NO_SCALE;
  std::vector<double> codebook;
  std::vector<double> scales;
};

// The first bytes of a blob behind its version (FORMAT.md, 3).
struct BlobHeader {
  uint8_t layout = 0;
  uint8_t coding = 0;
  uint8_t rank = 0;  // the number of dimensions, and flags
  int32_t zero_point = 0;
};

// Writes everything up to the zero point. `shape` has as many dimensions as the
// rank says.
void WriteBlobHeader(const BlobHeader& header, const int64_t* shape,
                     std::vector<uint8_t>* blob);

// Writes the byte counts of all streams but the last, and the streams.
void AppendStreams(const std::vector<std::vector<uint8_t>>& streams,
                   std::vector<uint8_t>* blob);

// Ends the blob.
void AppendChecksum(std::vector<uint8_t>* blob);

// Writes a Huffman-coded blob.
std::vector<uint8_t> WriteBlob(const Draft& draft, int32_t dtype,
                               const int64_t* shape, int32_t rank);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_BLOB_WRITER_H_
