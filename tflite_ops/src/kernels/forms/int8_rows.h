// The plain form of int8 weights for products with one vector: each row has its
// kept weights, or its words of four columns, one after the other.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_INT8_ROWS_H_
#define KERAS_DC_SRC_KERNELS_FORMS_INT8_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"

namespace keras_dc {

struct Int8Rows {
  // A word costs about as much as two weights.
  static constexpr size_t kMinWeightsPerWord = 2;

  bool has_words = false;
  std::vector<uint32_t> row_begin;
  // Columns, or numbers of words: `near` if all fit 16 bits, else `far`.
  std::vector<uint16_t> near;
  std::vector<uint32_t> far;
  std::vector<int8_t> values;

  static Int8Rows Pack(const SparseRows& weights);

  // sums[row] += weights * input, for the rows [begin_row, end_row). `input` is
  // unsigned, with zeros up to a whole word; sums wrap.
  void Run(size_t begin_row, size_t end_row, const uint8_t* input,
           int32_t* sums) const;

  size_t size_bytes() const;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_INT8_ROWS_H_
