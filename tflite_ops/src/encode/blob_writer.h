// Puts the parts of a blob together. The inverse of blob_reader.h.
#ifndef KERAS_DC_SRC_ENCODE_BLOB_WRITER_H_
#define KERAS_DC_SRC_ENCODE_BLOB_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/huffman.h"
#include "encode/gap_plan.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// What one blob is made of, in scan order.
struct Draft {
  size_t num_entries = 0;  // weights that have an index or a value each
  // The codebook if there is one, otherwise the value of each entry.
  bool has_codebook = false;
  std::vector<uint32_t> patterns;
  std::vector<uint8_t> indices;
  CodeLengths index_lengths;
  // With gaps, only kept weights are entries.
  bool has_gaps = false;
  bool column_major = false;
  GapPlan gaps;
  std::vector<uint8_t> gap_symbols;
  // Without gaps and codebook: the class of each line, 0 or 1; empty if all are
  // of one.
  std::vector<uint8_t> line_classes;
  // With the arithmetic coder: whether each weight is kept, in scan order, in
  // place of the gaps.
  bool is_arithmetic = false;
  std::vector<uint8_t> mask;
  uint64_t line_length = 0;
  uint64_t period = 0;
  // With scales, `codebook` takes the place of `patterns`.
  kdc_scale_axis scale_axis = KDC_NO_SCALE;
  std::vector<double> codebook;
  std::vector<double> scales;
};

// The bytes of FORMAT.md, 3 to 7.
std::vector<uint8_t> WriteBlob(const Draft& draft, int32_t dtype,
                               const int64_t* shape, int32_t rank);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_BLOB_WRITER_H_
