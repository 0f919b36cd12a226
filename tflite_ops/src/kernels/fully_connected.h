// output = activation(input * weights^T + bias), with sparse weights.
//
// Weights are packed once and then only read, so one FullyConnected may serve
// several threads, each with its own FullyConnectedScratch.
#ifndef KERAS_DC_SRC_KERNELS_FULLY_CONNECTED_H_
#define KERAS_DC_SRC_KERNELS_FULLY_CONNECTED_H_

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "common/sparse_rows.h"
#include "common/thread_pool.h"
#include "keras_dc/codec.h"
#include "kernels/activation.h"
#include "kernels/conv_2d.h"
#include "kernels/forms/aligned_vector.h"
#include "kernels/forms/lockstep_weights.h"
#include "kernels/forms/product_sums.h"
#include "kernels/forms/row_weights.h"

namespace keras_dc {

// How a layer is computed for one batch size; made anew when that changes.
struct FullyConnectedPlan {
  // From this batch size on, SIMD lanes hold the rows of the batch.
  static constexpr size_t kMinTogether = 3;

  FullyConnectedPlan() = default;
  FullyConnectedPlan(size_t num_rows, size_t num_columns, size_t batch_size,
                     Isa chosen_isa, size_t threads);

  Isa isa = Isa::kPortable;
  size_t batch = 0;
  size_t num_threads = 1;
  // The batch as the pixels of an image; used if is_together().
  ConvPlan conv;

  bool is_together() const { return batch >= kMinTogether; }
};

struct FullyConnectedScratch {
  ConvScratch conv;
  // One row of the input, with zeros behind it.
  AlignedVector<float> input;
  AlignedVector<float> sums;
  // One table for each thread.
  std::vector<AlignedVector<float>> tables;
};

// The dense form: weights (num_rows, num_columns), C order.
struct DenseRows {
  size_t num_rows = 0;
  size_t num_columns = 0;
  AlignedVector<float> weights;

  static DenseRows Pack(const SparseRows& weights);
  void Run(Isa isa, size_t begin_row, size_t end_row, const float* input,
           float* output) const;

  size_t size_bytes() const { return weights.size() * sizeof(float); }
};

class FullyConnected {
 public:
  // Packs weights for `plan`; row r holds the weights of unit r.
  // KDC_INVALID_ARGUMENT if they are not float32.
  static kdc_status Pack(SparseRows weights, const FullyConnectedPlan& plan,
                         FullyConnected* packed);

  // True if these weights can be run with `plan`.
  bool Fits(const FullyConnectedPlan& plan) const;

  // Computes the plan.batch rows of the output.
  //
  // For inputs that are Inf or NaN, outputs are those of the dense layer, in
  // which pruned weights are zeros. Finite products are added in another order.
  //
  // Args:
  //   plan: a plan that the weights fit.
  //   input: (batch, num_columns), C order.
  //   bias: (num_rows) or null.
  //   pool: may be null if plan.num_threads is 1.
  //   output: (batch, num_rows), C order.
  void Run(const FullyConnectedPlan& plan, const float* input,
           const float* bias, Activation activation, ThreadPool* pool,
           FullyConnectedScratch* scratch, float* output) const;

  size_t num_rows() const { return num_rows_; }
  // Memory of the packed weights.
  size_t size_bytes() const;

  template <typename Form>
  bool Is() const {
    return std::holds_alternative<Form>(form_);
  }

 private:
  // Computes one row of the batch without bias. The input is finite.
  void RunRow(const FullyConnectedPlan& plan, const float* input,
              ThreadPool* pool, FullyConnectedScratch* scratch,
              float* output) const;

  size_t num_rows_ = 0;
  size_t num_columns_ = 0;
  Isa isa_ = Isa::kPortable;
  // The number of threads that ProductSums were packed for.
  size_t num_threads_ = 1;
  std::variant<RowWeights, DenseRows, ProductSums, LockstepWeights, Conv2D>
      form_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FULLY_CONNECTED_H_
