// What a blob decodes to.
#ifndef KERAS_DC_SRC_COMMON_SPARSE_ROWS_H_
#define KERAS_DC_SRC_COMMON_SPARSE_ROWS_H_

#include <cstdint>
#include <vector>

#include "common/scratch_vector.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// A tensor in compressed sparse row form, seen as a matrix (FORMAT.md, 2): the
// first dimension is the row, all others together are the column; a scalar and
// a vector are one row.
struct SparseRows {
  kdc_dtype dtype = KDC_FLOAT32;
  int64_t num_rows = 0;
  int64_t num_columns = 0;
  // Entries of row r are those from row_begin[r] to row_begin[r + 1] - 1; their
  // columns ascend.
  std::vector<uint32_t> row_begin;
  ScratchVector<uint32_t> columns;
  // The value of entry e is centroid indices[e], when the blob has a codebook;
  // otherwise `indices` and `codebook` are empty and it is values[e].
  ScratchVector<uint8_t> indices;
  // Elements of `dtype`, packed.
  std::vector<uint8_t> codebook;
  std::vector<uint8_t> values;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_SPARSE_ROWS_H_
