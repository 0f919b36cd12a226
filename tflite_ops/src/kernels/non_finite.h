// Inputs that are Inf or NaN. A pruned weight is a zero, and 0 * Inf is NaN:
// such an input reaches outputs that a sparse product leaves out.
//
// They are rare, so the fast kernels know nothing of them. These get the input
// with zeros in the place of such values; the products of all weights with the
// values are added afterwards.
#ifndef KERAS_DC_SRC_KERNELS_NON_FINITE_H_
#define KERAS_DC_SRC_KERNELS_NON_FINITE_H_

#include <cmath>
#include <cstddef>
#include <vector>

namespace keras_dc {

inline std::vector<float> FiniteOnly(const float* values, size_t size) {
  std::vector<float> finite(values, values + size);
  for (float& value : finite) {
    if (!std::isfinite(value)) value = 0.0f;
  }
  return finite;
}

// Weights in lists, one for each column.
class ColumnLists {
 public:
  // `for_each(visit)` calls `visit(row, column, value)` for each weight.
  template <typename ForEach>
  ColumnLists(size_t num_rows, size_t num_columns, ForEach for_each)
      : dense_(num_rows), begin_(num_columns + 1) {
    for_each([&](size_t, size_t column, float) { ++begin_[column + 1]; });
    for (size_t c = 0; c < num_columns; ++c) begin_[c + 1] += begin_[c];
    rows_.resize(begin_.back());
    values_.resize(begin_.back());
    std::vector<size_t> next(begin_.begin(), begin_.end() - 1);
    for_each([&](size_t row, size_t column, float value) {
      rows_[next[column]] = row;
      values_[next[column]++] = value;
    });
  }

  // output[row] += weights[row][column] * input for all rows.
  void AddColumn(size_t column, float input, float* output) {
    for (size_t i = begin_[column]; i < begin_[column + 1]; ++i) {
      dense_[rows_[i]] = values_[i];
    }
    for (size_t row = 0; row < dense_.size(); ++row) {
      output[row] += dense_[row] * input;
    }
    for (size_t i = begin_[column]; i < begin_[column + 1]; ++i) {
      dense_[rows_[i]] = 0.0f;
    }
  }

 private:
  std::vector<float> dense_;
  std::vector<size_t> begin_;
  std::vector<size_t> rows_;
  std::vector<float> values_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_NON_FINITE_H_
