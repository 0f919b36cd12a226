// The product-sums form: a sparse matrix for products with one vector, on any
// machine.
//
// For a block of columns, all products of an input and a centroid are computed
// first, as a table that fits the first-level cache. A weight then takes one
// load from the table and one addition, and neither a multiplication nor loads
// of an input and a centroid.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_PRODUCT_SUMS_H_
#define KERAS_DC_SRC_KERNELS_FORMS_PRODUCT_SUMS_H_

#include <cstddef>
#include <vector>

#include "common/sparse_rows.h"
#include "kernels/forms/aligned_vector.h"
#include "kernels/forms/blocked_weights.h"

namespace keras_dc {

struct ProductSums {
  // Columns of a block.
  static constexpr size_t kColumns = Blocking::kMaxColumns;

  size_t num_columns = 0;
  size_t num_centroids = 0;
  // A panel holds consecutive rows, for one thread. Every thread makes all
  // tables.
  std::vector<BlockedWeights> panels;

  // True if there is a codebook, and the tables are little work compared with
  // the weights.
  static bool Suits(const SparseRows& weights);
  // Makes at least `num_panels` panels, unless there are fewer rows.
  static ProductSums Pack(const SparseRows& weights, size_t num_panels);

  // output[row] = sum over columns of weights * input, for the rows of a panel.
  // `table` has kColumns * num_centroids floats of scratch.
  void Run(size_t panel, const float* input, float* table, float* output) const;

  size_t size_bytes() const;

  // Calls `visit(row, column, value)` for each weight.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const BlockedWeights& panel : panels) {
      panel.ForEach([&](size_t row, size_t column, size_t, float value) {
        visit(row, column, value);
      });
    }
  }
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_PRODUCT_SUMS_H_
