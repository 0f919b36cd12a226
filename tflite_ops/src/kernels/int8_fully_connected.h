// output = scaled(int8 input * int8 weights^T + bias), with sparse weights; see
// int8_conv_2d.h.
#ifndef KERAS_DC_SRC_KERNELS_INT8_FULLY_CONNECTED_H_
#define KERAS_DC_SRC_KERNELS_INT8_FULLY_CONNECTED_H_

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "common/sparse_rows.h"
#include "common/thread_pool.h"
#include "keras_dc/codec.h"
#include "kernels/forms/aligned_vector.h"
#include "kernels/forms/int8_lockstep.h"
#include "kernels/forms/int8_rows.h"
#include "kernels/int8_conv_2d.h"
#include "kernels/requantize.h"
#include "kernels/tile/int8_lockstep_kernel.h"

namespace keras_dc {

// See FullyConnectedPlan.
struct Int8FullyConnectedPlan {
  static constexpr size_t kMinTogether = 3;

  Int8FullyConnectedPlan() = default;
  Int8FullyConnectedPlan(size_t num_rows, size_t num_columns, size_t batch_size,
                         Isa chosen_isa, size_t threads);

  Isa isa = Isa::kPortable;
  size_t batch = 0;
  size_t num_threads = 1;
  Int8LockstepKernel lockstep;
  Int8ConvPlan conv;

  bool is_together() const { return batch >= kMinTogether; }
};

struct Int8FullyConnectedScratch {
  Int8ConvScratch conv;
  // One row of the input, with what is added to it, and some bytes behind it.
  AlignedVector<uint8_t> input;
  std::vector<int32_t> sums;
};

class Int8FullyConnected {
 public:
  // Packs int8 weights for `plan`; row r holds the weights of unit r.
  // KDC_INVALID_ARGUMENT if they are not int8.
  static kdc_status Pack(const SparseRows& weights,
                         const Int8FullyConnectedPlan& plan,
                         Int8FullyConnected* packed);

  // True if these weights can be run with `plan`.
  bool Fits(const Int8FullyConnectedPlan& plan) const;

  // Args:
  //   plan: a plan that the weights fit.
  //   inputs: values of shape (batch, num_columns), C order.
  //   scaling: of all rows. If null, the output is the sums.
  //   pool: may be null if the plan has one thread.
  //   output: (batch, num_rows), C order: int8, or 32-bit sums.
  void Run(const Int8FullyConnectedPlan& plan, const Int8Inputs& inputs,
           const OutputScaling* scaling, ThreadPool* pool,
           Int8FullyConnectedScratch* scratch, void* output) const;

  size_t size_bytes() const;

  template <typename Form>
  bool Is() const {
    return std::holds_alternative<Form>(form_);
  }

 private:
  // Chooses the form for single rows.
  void PackRows(const SparseRows& weights, const Int8LockstepKernel& kernel);
  // sums[row] += weights * input, for one row of the batch.
  void AddProducts(const Int8FullyConnectedPlan& plan, const uint8_t* input,
                   ThreadPool* pool, int32_t* sums) const;

  size_t num_rows_ = 0;
  size_t num_columns_ = 0;
  Isa isa_ = Isa::kPortable;
  // What is added to inputs before they are multiplied.
  int32_t input_offset_ = 0;
  std::vector<int32_t> row_sums_;
  std::variant<Int8Rows, Int8Lockstep, Int8Conv2D> form_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_INT8_FULLY_CONNECTED_H_
