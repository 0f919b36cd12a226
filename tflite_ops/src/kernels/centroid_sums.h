// A sparse matrix packed for products with one vector on any machine: in each
// row the inputs of one centroid are added up, eight at a time, and multiplied
// once.
#ifndef KERAS_DC_SRC_KERNELS_CENTROID_SUMS_H_
#define KERAS_DC_SRC_KERNELS_CENTROID_SUMS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoder.h"

namespace keras_dc {

struct CentroidSums {
  static constexpr size_t kChunk = 8;

  size_t num_rows = 0;
  size_t num_columns = 0;
  float codebook[256] = {};
  // Chunks of row r: those from row_begin[r] to row_begin[r + 1] - 1.
  std::vector<uint32_t> row_begin;
  std::vector<uint8_t> indices;
  // kChunk per chunk; num_columns where there are fewer.
  std::vector<uint16_t> columns;

  // True if chunks are well filled. Codebooks with an Inf or a NaN do not suit:
  // a sum of inputs times Inf is not the sum of the products.
  static bool Suits(const SparseTensor& weights);
  static CentroidSums Pack(const SparseTensor& weights);

  // output[row] = sum over columns of weights * input, for the rows
  // [begin_row, end_row). `input` has num_columns + 1 floats, the last one 0.
  void Run(size_t begin_row, size_t end_row, const float* input,
           float* output) const;

  size_t size_bytes() const;

  // Calls `visit(row, column, value)` for each weight.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t row = 0; row < num_rows; ++row) {
      const size_t end = size_t{row_begin[row + 1]} * kChunk;
      for (size_t i = size_t{row_begin[row]} * kChunk; i < end; ++i) {
        if (columns[i] == num_columns) continue;
        visit(row, columns[i], codebook[indices[i / kChunk]]);
      }
    }
  }
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_CENTROID_SUMS_H_
