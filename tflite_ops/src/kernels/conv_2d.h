// output = activation(conv(input, kernel) + bias), kernel pruned and shared.
//
// The kernel is packed once and then only read, so one Conv2D may serve several
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

// How a convolution of one shape is computed; to be made anew when the shape
// changes. A kernel fits all plans of equal `blocking` and `panel_rows`.
struct ConvPlan {
  ConvPlan() = default;
  // `filters` and `channels` are those of the kernel.
  ConvPlan(const ConvShape& shape, size_t filters, size_t channels, Isa isa,
           size_t num_threads);

  ConvShape shape;
  size_t num_threads = 1;
  TileKernel kernel;
  PixelGrid grid;
  Blocking blocking;
  // Rows of the kernel that are computed together.
  size_t panel_rows = 1;
  // TileJob::offsets.
  std::vector<uint32_t> offsets;
};

// Memory that is kept between runs, so that none allocates.
struct ConvScratch {
  struct Worker {
    std::vector<int32_t> pixels;
    std::vector<const float*> inputs;
    std::vector<float*> outputs;
    AlignedVector<float> panel;
    AlignedVector<float> sums;
  };
  std::vector<Worker> workers;
  // One pixel of padding.
  std::vector<float> zeros;
};

class Conv2D {
 public:
  // Packs a float32 kernel of shape [filters, height, width, channels] as
  // `plan` wants it; any other dtype is refused with KDC_INVALID_ARGUMENT.
  static kdc_status Pack(const SparseRows& kernel, const ConvPlan& plan,
                         Conv2D* packed);

  // Packs filters [first_filter, first_filter + block.num_rows) of a kernel
  // that has `filters` of them, and is otherwise as `block`. Run then computes
  // these channels of the output and leaves the others as they are: to be
  // called with an activation that clamps or none, and with none where an input
  // is Inf or NaN.
  static kdc_status PackBlock(const SparseRows& block, const ConvPlan& plan,
                              size_t first_filter, size_t filters,
                              Conv2D* packed);

  bool Fits(const ConvPlan& plan) const {
    return plan.blocking == blocking_ && plan.panel_rows == panel_rows_;
  }

  // Inputs that are Inf or NaN give what IEEE arithmetic gives for the dense
  // layer, pruned weights and padding being zeros.
  //
  // Args:
  //   plan: a plan that the kernel fits.
  //   input: (batch, height, width, channels), C order.
  //   bias: (filters) or null.
  //   pool: may be null if plan.num_threads is 1.
  //   output: (batch, height, width, filters), C order.
  void Run(const ConvPlan& plan, const float* input, const float* bias,
           Activation activation, ThreadPool* pool, ConvScratch* scratch,
           float* output) const;

  size_t size_bytes() const;

  // Calls `visit(row, column, value)` for each weight, the column being that of
  // the kernel: tap * channels + channel.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const BlockedWeights& panel : panels_) {
      panel.ForEach([&](size_t row, size_t channel, size_t tap, float value) {
        visit(row, tap * blocking_.num_channels + channel, value);
      });
    }
  }

 private:
  // False, and not all outputs, if an input is Inf or NaN.
  bool RunTiles(const ConvPlan& plan, const float* input, const float* bias,
                Activation activation, ThreadPool* pool, ConvScratch* scratch,
                float* output) const;
  bool RunItem(const ConvPlan& plan, size_t item, const float* input,
               const float* bias, Activation activation, const float* zeros,
               ConvScratch::Worker* worker, float* output) const;
  void AddNonFinite(const ConvShape& shape, const float* input,
                    float* output) const;

  size_t filters_ = 0;
  // Those that are packed.
  size_t first_filter_ = 0;
  size_t num_packed_ = 0;
  Blocking blocking_;
  size_t panel_rows_ = 1;
  std::vector<BlockedWeights> panels_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_CONV_2D_H_
