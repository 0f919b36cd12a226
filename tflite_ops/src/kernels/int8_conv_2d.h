// Convolution of int8 inputs with sparse int8 weights: exact 32-bit sums, and
// int8 outputs made of them as TFLite's reference kernels do.
//
// Its form is BlockedWeights of words (forms/weight_words.h): four neighbouring
// channels of a pixel take the place of a float of Conv2D. Where a processor
// multiplies matrices faster than these words, it is MatrixWeights. Weights are
// packed once and then only read.
#ifndef KERAS_DC_SRC_KERNELS_INT8_CONV_2D_H_
#define KERAS_DC_SRC_KERNELS_INT8_CONV_2D_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"
#include "common/thread_pool.h"
#include "keras_dc/codec.h"
#include "kernels/conv_2d.h"
#include "kernels/forms/aligned_vector.h"
#include "kernels/forms/blocked_weights.h"
#include "kernels/forms/matrix_weights.h"
#include "kernels/matrix_plan.h"
#include "kernels/requantize.h"
#include "kernels/tile/int8_tile.h"

namespace keras_dc {

// As ConvPlan; `tiles` is that of an image of words.
struct Int8ConvPlan {
  Int8ConvPlan() = default;
  // `filters` and `channels` are those of the weights.
  Int8ConvPlan(const ConvShape& shape, size_t filters, size_t channels, Isa isa,
               size_t num_threads);

  size_t channels = 0;
  size_t num_threads = 1;
  Int8TileKernel kernel;
  ConvPlan tiles;
  // Without a kernel where there are no matrix registers.
  MatrixPlan matrix;
};

struct Int8ConvScratch {
  struct Worker {
    std::vector<int32_t> pixels;
    std::vector<const float*> inputs;
    std::vector<int8_t*> outputs;
    std::vector<float*> sum_outputs;
    AlignedVector<float> panel;
    AlignedVector<float> sums;
    std::vector<float> lines;
    // Of MatrixJob.
    AlignedVector<uint8_t> dense;
    AlignedVector<int32_t> matrix_sums;
  };
  std::vector<Worker> workers;
  // The input with whole words for each pixel.
  std::vector<int8_t> input;
  // A pixel of padding.
  std::vector<int8_t> padding;
  // 32-bit integers: the bias less the products of the input's zero point.
  std::vector<float> bias;
  AlignedVector<int32_t> matrix_bias;
  // See MatrixPlan::CopyLine.
  AlignedVector<uint8_t> matrix_input;
};

// What one run of an int8 layer reads, beside its weights.
struct Int8Inputs {
  const int8_t* values = nullptr;
  // The value that stands for 0, as that of padding does.
  int32_t zero_point = 0;
  // A 32-bit integer for each row of the weights, or null.
  const int32_t* bias = nullptr;
};

class Int8Conv2D {
 public:
  // Packs int8 weights of shape [filters, height, width, channels] for `plan`.
  // KDC_INVALID_ARGUMENT if they are not int8.
  static kdc_status Pack(const SparseRows& weights, const Int8ConvPlan& plan,
                         Int8Conv2D* packed);
  // See Conv2D.
  static kdc_status PackBlock(const SparseRows& block, const Int8ConvPlan& plan,
                              size_t first_filter, size_t filters,
                              Int8Conv2D* packed);

  bool Fits(const Int8ConvPlan& plan) const {
    if (is_matrix()) return matrix_.Fits(plan.matrix.places());
    return plan.tiles.blocking == blocking_ &&
           plan.tiles.panel_rows == panel_rows_ && plan.channels == channels_ &&
           plan.kernel.needs_small_pairs == has_small_pairs_;
  }

  // Args:
  //   plan: a plan that the weights fit.
  //   inputs: values of shape (batch, height, width, channels), C order.
  //   scaling: of all filters. If null, the output is the sums.
  //   pool: may be null if the plan has one thread.
  //   output: (batch, height, width, filters), C order: int8, or 32-bit sums.
  void Run(const Int8ConvPlan& plan, const Int8Inputs& inputs,
           const OutputScaling* scaling, ThreadPool* pool,
           Int8ConvScratch* scratch, void* output) const;

  size_t size_bytes() const;

  // Whether the weights are packed for matrix registers.
  bool is_matrix() const { return !matrix_.is_empty(); }

 private:
  // What a row's sums begin with.
  uint32_t StartOf(const Int8ConvPlan& plan, const Int8Inputs& inputs,
                   size_t row) const;
  void RunMatrix(const Int8ConvPlan& plan, const Int8Inputs& inputs,
                 const OutputScaling* scaling, ThreadPool* pool,
                 Int8ConvScratch* scratch, void* output) const;
  void RunItem(const Int8ConvPlan& plan, size_t item, const uint8_t* input,
               const OutputScaling* scaling, const Int8ConvScratch& shared,
               Int8ConvScratch::Worker* worker, void* output) const;

  size_t channels_ = 0;
  size_t filters_ = 0;
  size_t first_filter_ = 0;
  bool has_small_pairs_ = false;
  Blocking blocking_;
  size_t panel_rows_ = 1;
  // Of the packed filters.
  std::vector<int32_t> row_sums_;
  std::vector<BlockedWeights> panels_;
  MatrixWeights matrix_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_INT8_CONV_2D_H_
