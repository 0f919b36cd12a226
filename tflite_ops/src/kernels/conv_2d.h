// output = activation(conv(input, weights) + bias), with sparse weights.
//
// Weights are packed once and then only read, so one Conv2D may serve several
// threads, each with its own ConvScratch.
#ifndef KERAS_DC_SRC_KERNELS_CONV_2D_H_
#define KERAS_DC_SRC_KERNELS_CONV_2D_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"
#include "common/thread_pool.h"
#include "keras_dc/codec.h"
#include "kernels/activation.h"
#include "kernels/forms/aligned_vector.h"
#include "kernels/forms/blocked_weights.h"
#include "kernels/pixel_grid.h"
#include "kernels/tile/tile.h"

namespace keras_dc {

// How a convolution of one shape is computed; made anew when the shape changes.
// Packed weights fit all plans of equal `blocking` and `panel_rows`.
struct ConvPlan {
  ConvPlan() = default;
  // `filters` and `channels` are those of the weights.
  ConvPlan(const ConvShape& shape, size_t filters, size_t channels, Isa isa,
           size_t num_threads);
  // For another kernel, whose blocks have at most `max_columns` columns if the
  // taps of a channel are no more.
  ConvPlan(const ConvShape& shape, size_t filters, size_t channels,
           const TileKernel& kernel, size_t max_columns, size_t num_threads);

  ConvShape shape;
  size_t num_threads = 1;
  TileKernel kernel;
  PixelGrid grid;
  Blocking blocking;
  // Filters that are computed together.
  size_t panel_rows = 1;
  // TileJob::offsets.
  std::vector<uint32_t> offsets;
};

// Memory that is kept between runs, so that a run allocates none.
struct ConvScratch {
  struct Worker {
    std::vector<int32_t> pixels;
    std::vector<const float*> inputs;
    std::vector<float*> outputs;
    AlignedVector<float> panel;
    AlignedVector<float> sums;
  };
  std::vector<Worker> workers;
  // A pixel of padding.
  std::vector<float> zeros;
};

class Conv2D {
 public:
  // Packs weights of shape [filters, height, width, channels] for `plan`.
  // KDC_INVALID_ARGUMENT if they are not float32.
  static kdc_status Pack(const SparseRows& weights, const ConvPlan& plan,
                         Conv2D* packed);

  // Packs `block`, the filters from `first_filter` on of a layer that has
  // `filters` of them. Run then computes their channels of the output, and
  // leaves the other channels as they are. Its activation must be none or a
  // clamp, and none if an input is Inf or NaN.
  static kdc_status PackBlock(const SparseRows& block, const ConvPlan& plan,
                              size_t first_filter, size_t filters,
                              Conv2D* packed);

  bool Fits(const ConvPlan& plan) const {
    return plan.blocking == blocking_ && plan.panel_rows == panel_rows_;
  }

  // For inputs that are Inf or NaN, outputs are those of the dense layer, in
  // which pruned weights and padding are zeros.
  //
  // Args:
  //   plan: a plan that the weights fit.
  //   input: (batch, height, width, channels), C order.
  //   bias: (filters) or null.
  //   pool: may be null if plan.num_threads is 1.
  //   output: (batch, height, width, filters), C order.
  void Run(const ConvPlan& plan, const float* input, const float* bias,
           Activation activation, ThreadPool* pool, ConvScratch* scratch,
           float* output) const;

  size_t size_bytes() const;

  // Calls `visit(row, column, value)` for each weight. The row is the filter,
  // the column is tap * channels + channel.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const BlockedWeights& panel : panels_) {
      panel.ForEach([&](size_t row, size_t channel, size_t tap, float value) {
        visit(row, tap * blocking_.num_channels + channel, value);
      });
    }
  }

 private:
  // Returns false, and may leave outputs unwritten, if an input is Inf or NaN.
  bool RunTiles(const ConvPlan& plan, const float* input, const float* bias,
                Activation activation, ThreadPool* pool, ConvScratch* scratch,
                float* output) const;
  bool RunItem(const ConvPlan& plan, size_t item, const float* input,
               const float* bias, Activation activation, const float* zeros,
               ConvScratch::Worker* worker, float* output) const;
  void AddNonFinite(const ConvShape& shape, const float* input,
                    float* output) const;

  size_t filters_ = 0;
  // The packed filters.
  size_t first_filter_ = 0;
  size_t num_packed_ = 0;
  Blocking blocking_;
  size_t panel_rows_ = 1;
  std::vector<BlockedWeights> panels_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_CONV_2D_H_
