// The row form: a sparse matrix row by row, for any weights and any machine.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_ROW_WEIGHTS_H_
#define KERAS_DC_SRC_KERNELS_FORMS_ROW_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"

namespace keras_dc {

// output[row] = sum over columns of weights * input, for float32 weights in no
// form.
void MultiplyUnpacked(const SparseRows& weights, const float* input,
                      float* output);

class RowWeights {
 public:
  static RowWeights Pack(SparseRows weights);

  // output[row] = sum over columns of weights * input, for the rows
  // [begin_row, end_row).
  void Run(size_t begin_row, size_t end_row, const float* input,
           float* output) const;

  size_t num_rows() const { return row_begin_.size() - 1; }
  size_t size_bytes() const;

  // Calls `visit(row, column, value)` for each weight.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t row = 0; row < num_rows(); ++row) {
      for (size_t e = row_begin_[row]; e < row_begin_[row + 1]; ++e) {
        visit(
            row,
            columns32_.empty() ? size_t{columns16_[e]} : size_t{columns32_[e]},
            indices_.empty() ? values_[e] : codebook_[indices_[e]]);
      }
    }
  }

 private:
  // One of the two column vectors is in use, and one of `indices_` and
  // `values_`. `codebook_` has 256 entries, so that no index is outside.
  std::vector<uint32_t> row_begin_ = {0};
  std::vector<uint16_t> columns16_;
  ScratchVector<uint32_t> columns32_;
  ScratchVector<uint8_t> indices_;
  std::vector<float> codebook_;
  std::vector<float> values_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_ROW_WEIGHTS_H_
