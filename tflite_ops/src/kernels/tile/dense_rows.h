// Rows of dense weights times a vector, for one instruction set.
#ifndef KERAS_DC_SRC_KERNELS_TILE_DENSE_ROWS_H_
#define KERAS_DC_SRC_KERNELS_TILE_DENSE_ROWS_H_

#include <cstddef>

namespace keras_dc {

// output[r] = sum over c of weights[r * num_columns + c] * input[c], for the
// rows [begin_row, end_row).
void RunDenseRowsAvx512(const float* weights, size_t num_columns,
                        size_t begin_row, size_t end_row, const float* input,
                        float* output);
void RunDenseRowsNeon(const float* weights, size_t num_columns,
                      size_t begin_row, size_t end_row, const float* input,
                      float* output);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_DENSE_ROWS_H_
