// The sparse form that a blob decodes to, and that kernels pack.
#ifndef KERAS_DC_SRC_COMMON_SPARSE_ROWS_H_
#define KERAS_DC_SRC_COMMON_SPARSE_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/scratch_vector.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// A tensor, or some of its rows, in compressed sparse row form. The tensor is
// taken as a matrix (FORMAT.md, 2): the first dimension is the row, all others
// together are the column; a scalar or a vector is one row.
struct SparseRows {
  kdc_dtype dtype = KDC_FLOAT32;
  int64_t num_rows = 0;
  int64_t num_columns = 0;
  // Entries of row r are those from row_begin[r] to row_begin[r + 1] - 1; their
  // columns ascend.
  std::vector<uint32_t> row_begin;
  ScratchVector<uint32_t> columns;
  // With a codebook, the value of entry e is centroid indices[e]. Otherwise
  // `indices` and `codebook` are empty, and it is values[e].
  ScratchVector<uint8_t> indices;
  // Elements of `dtype`, as bytes.
  std::vector<uint8_t> codebook;
  std::vector<uint8_t> values;

  // The bytes of entry `e`'s value; an element has `item_size` of them.
  const uint8_t* ValueAt(size_t e, size_t item_size = sizeof(float)) const {
    return codebook.empty() ? &values[item_size * e]
                            : &codebook[item_size * indices[e]];
  }
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_SPARSE_ROWS_H_
