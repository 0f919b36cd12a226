// output = activation(input * weights^T + bias), weights pruned and shared.
//
// Weights are packed once and then only read, so one FullyConnected may serve
// several threads, each with its own scratch.
#ifndef KERAS_DC_SRC_KERNELS_FULLY_CONNECTED_H_
#define KERAS_DC_SRC_KERNELS_FULLY_CONNECTED_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoder.h"
#include "keras_dc/codec.h"
#include "kernels/activation.h"

namespace keras_dc {

class FullyConnected {
 public:
  // Above this share of kept weights the dense loop is the faster one.
  static constexpr double kMaxSparseDensity = 0.35;

  // Packs float32 weights; row r holds the weights of unit r. Any other dtype
  // is refused with KDC_INVALID_ARGUMENT.
  static kdc_status Pack(SparseTensor weights, FullyConnected* packed);

  // Computes `batch` rows.
  //
  // Inputs that are Inf or NaN give what IEEE arithmetic gives for the dense
  // layer, pruned weights being zeros.
  //
  // In the sparse form a row's result does not depend on the batch around it:
  // every path adds in the same order.
  //
  // Args:
  //   input: (batch, num_columns), C order.
  //   bias: (num_rows) or null.
  //   scratch: kept by the caller between calls, so that none allocates.
  //   output: (batch, num_rows), C order.
  void Run(const float* input, size_t batch, const float* bias,
           Activation activation, std::vector<float>* scratch,
           float* output) const;

  size_t num_rows() const { return num_rows_; }
  size_t num_columns() const { return num_columns_; }
  bool is_dense() const { return is_dense_; }
  // Memory of the packed weights.
  size_t size_bytes() const;

 private:
  template <typename Column>
  void RunSparse(const Column* columns, const float* input, size_t batch,
                 const float* bias, std::vector<float>* scratch,
                 float* output) const;
  void RunDense(const float* input, size_t batch, const float* bias,
                float* output) const;

  size_t num_rows_ = 0;
  size_t num_columns_ = 0;
  bool is_dense_ = false;

  // The sparse form. Of the two column vectors one is in use; of `indices_`
  // and `values_` too. `codebook_` has 256 entries, so that no index leaves it.
  std::vector<uint32_t> row_begin_;
  std::vector<uint16_t> columns16_;
  std::vector<uint32_t> columns32_;
  std::vector<uint8_t> indices_;
  std::vector<float> codebook_;
  std::vector<float> values_;

  // The dense form: (num_rows, num_columns), C order.
  std::vector<float> dense_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FULLY_CONNECTED_H_
