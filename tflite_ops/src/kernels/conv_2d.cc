#include "kernels/conv_2d.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>

#include "kernels/non_finite.h"

namespace keras_dc {
namespace {

// The inputs of a block should stay in the first-level cache, and the sums of a
// panel in the second-level cache.
constexpr size_t kPanelBytes = 40 * 1024;
constexpr size_t kSumsBytes = 768 * 1024;
// Filters beyond make another panel.
constexpr size_t kMaxPanelRows = 2048;
constexpr size_t kMinOutputs = 2;
// Channels that are transposed together.
constexpr size_t kTransposed = 8;
// The most vectors of a tile if the kernel has one tap. Larger tiles would
// share no inputs, and leave room for fewer channels.
constexpr size_t kMaxPointwiseOutputs = 8;

size_t DivideUp(size_t a, size_t b) { return (a + b - 1) / b; }

size_t NumPixels(size_t batch, int64_t height, int64_t width) {
  return batch * static_cast<size_t>(height) * static_cast<size_t>(width);
}

}  // namespace

ConvPlan::ConvPlan(const ConvShape& conv_shape, size_t filters, size_t channels,
                   Isa isa, size_t threads)
    : ConvPlan(conv_shape, filters, channels, TileKernelOf(isa),
               Blocking::kMaxColumns, threads) {}

ConvPlan::ConvPlan(const ConvShape& conv_shape, size_t filters, size_t channels,
                   const TileKernel& tile_kernel, size_t max_columns,
                   size_t threads)
    : shape(conv_shape),
      num_threads(std::max<size_t>(threads, 1)),
      kernel(tile_kernel) {
  const size_t vector_bytes = kernel.lanes * sizeof(float);
  blocking.num_channels = channels;
  blocking.num_taps =
      static_cast<size_t>(shape.height.kernel * shape.width.kernel);
  panel_rows = std::min(std::max<size_t>(filters, 1), kMaxPanelRows);
  size_t max_outputs =
      std::min(kernel.max_outputs,
               std::max(kMinOutputs, kSumsBytes / (panel_rows * vector_bytes)));
  if (blocking.num_taps == 1) {
    max_outputs = std::min(max_outputs, kMaxPointwiseOutputs);
  }
  // The widest tile of which enough channels fit the cache. With many taps a
  // block has few channels.
  const size_t most_channels = max_columns / blocking.num_taps;
  const size_t enough_channels =
      most_channels < kTransposed ? 1 : std::min(channels, kTransposed);
  size_t fitting_channels;
  do {
    grid = PixelGrid(shape, kernel.lanes, max_outputs);
    fitting_channels = kPanelBytes / (grid.num_inputs() * vector_bytes);
    max_outputs = std::min(max_outputs, grid.max_outputs()) - 1;
  } while (fitting_channels < enough_channels && max_outputs >= kMinOutputs);
  if (grid.num_tiles() < num_threads) {
    panel_rows = std::min(panel_rows,
                          DivideUp(std::max<size_t>(filters, 1), num_threads));
  }
  size_t block_channels = std::min({channels, most_channels, fitting_channels});
  if (block_channels >= kTransposed) {
    block_channels -= block_channels % kTransposed;
  }
  blocking.block_channels = std::max<size_t>(block_channels, 1);
  const std::vector<uint32_t> taps = grid.TapVectors();
  for (size_t c = 0; c < blocking.block_channels; ++c) {
    for (const uint32_t tap : taps) {
      offsets.push_back(
          static_cast<uint32_t>((c * grid.num_inputs() + tap) * kernel.lanes));
    }
  }
}

kdc_status Conv2D::Pack(const SparseRows& weights, const ConvPlan& plan,
                        Conv2D* packed) {
  return PackBlock(weights, plan, 0, static_cast<size_t>(weights.num_rows),
                   packed);
}

kdc_status Conv2D::PackBlock(const SparseRows& block, const ConvPlan& plan,
                             size_t first_filter, size_t filters,
                             Conv2D* packed) {
  if (block.dtype != KDC_FLOAT32) return KDC_INVALID_ARGUMENT;
  Conv2D result;
  result.filters_ = filters;
  result.first_filter_ = first_filter;
  result.num_packed_ = static_cast<size_t>(block.num_rows);
  result.blocking_ = plan.blocking;
  result.panel_rows_ = plan.panel_rows;
  const auto num_rows = static_cast<size_t>(block.num_rows);
  for (size_t row = 0; row < num_rows; row += plan.panel_rows) {
    result.panels_.push_back(BlockedWeights::Pack(
        block, plan.blocking, row, std::min(row + plan.panel_rows, num_rows)));
    result.panels_.back().first_row += first_filter;
  }
  *packed = std::move(result);
  return KDC_OK;
}

void Conv2D::Run(const ConvPlan& plan, const float* input, const float* bias,
                 Activation activation, ThreadPool* pool, ConvScratch* scratch,
                 float* output) const {
  const ConvShape& shape = plan.shape;
  const size_t output_size =
      NumPixels(shape.batch, shape.height.output, shape.width.output) *
      filters_;
  if (RunTiles(plan, input, bias, activation, pool, scratch, output)) {
    if (activation == Activation::kTanh) {
      ApplyActivation(activation, output_size, output);
    }
    return;
  }
  const size_t input_size =
      NumPixels(shape.batch, shape.height.input, shape.width.input) *
      blocking_.num_channels;
  const std::vector<float> finite = FiniteOnly(input, input_size);
  RunTiles(plan, finite.data(), bias, Activation::kNone, pool, scratch, output);
  AddNonFinite(shape, input, output);
  ApplyActivation(activation, output_size, output);
}

bool Conv2D::RunTiles(const ConvPlan& plan, const float* input,
                      const float* bias, Activation activation,
                      ThreadPool* pool, ConvScratch* scratch,
                      float* output) const {
  const size_t num_items = plan.grid.num_tiles() * panels_.size();
  const size_t num_workers = std::min(plan.num_threads, num_items);
  if (num_items == 0) return true;
  const size_t lanes = plan.kernel.lanes;
  scratch->zeros.resize(blocking_.num_channels);
  scratch->workers.resize(std::max(num_workers, scratch->workers.size()));
  for (size_t i = 0; i < num_workers; ++i) {
    ConvScratch::Worker& worker = scratch->workers[i];
    const size_t num_inputs = plan.grid.num_inputs();
    const size_t num_outputs = plan.grid.max_outputs();
    worker.inputs.resize(num_inputs * lanes);
    worker.outputs.resize(num_outputs * lanes);
    worker.pixels.resize(std::max(num_inputs, num_outputs) * lanes);
    worker.panel.resize(kPanelTables +
                        blocking_.block_channels * num_inputs * lanes);
    worker.sums.resize(panel_rows_ * num_outputs * lanes);
  }
  const float* zeros = scratch->zeros.data();
  if (num_workers == 1) {
    for (size_t item = 0; item < num_items; ++item) {
      if (!RunItem(plan, item, input, bias, activation, zeros,
                   &scratch->workers[0], output)) {
        return false;
      }
    }
    return true;
  }
  std::atomic<bool> is_finite{true};
  pool->ParallelFor(num_items, num_workers, [&](size_t item, size_t worker) {
    if (!RunItem(plan, item, input, bias, activation, zeros,
                 &scratch->workers[worker], output)) {
      is_finite.store(false, std::memory_order_relaxed);
    }
  });
  return is_finite.load(std::memory_order_relaxed);
}

bool Conv2D::RunItem(const ConvPlan& plan, size_t item, const float* input,
                     const float* bias, Activation activation,
                     const float* zeros, ConvScratch::Worker* worker,
                     float* output) const {
  const size_t tile = item / panels_.size();
  const BlockedWeights& panel = panels_[item % panels_.size()];
  plan.grid.InputPixels(tile, worker->pixels.data());
  for (size_t i = 0; i < worker->inputs.size(); ++i) {
    const int32_t pixel = worker->pixels[i];
    worker->inputs[i] =
        pixel < 0 ? zeros
                  : input + static_cast<size_t>(pixel) * blocking_.num_channels;
  }
  plan.grid.OutputPixels(tile, worker->pixels.data());
  const size_t num_outputs = plan.grid.NumOutputs(tile);
  for (size_t i = 0; i < num_outputs * plan.kernel.lanes; ++i) {
    const int32_t pixel = worker->pixels[i];
    worker->outputs[i] =
        pixel < 0
            ? nullptr
            : output + static_cast<size_t>(pixel) * filters_ + panel.first_row;
  }
  const TileWeights weights(panel);
  TileJob job;
  job.weights = &weights;
  job.bias = bias == nullptr ? nullptr : bias + panel.first_row;
  job.range = RangeOf(activation);
  job.num_inputs = plan.grid.num_inputs();
  job.inputs = worker->inputs.data();
  job.offsets = plan.offsets.data();
  job.num_offsets = plan.offsets.size();
  job.num_outputs = num_outputs;
  job.outputs = worker->outputs.data();
  job.panel = worker->panel.data() + kPanelTables;
  job.sums = worker->sums.data();
  return plan.kernel.run(job);
}

void Conv2D::AddNonFinite(const ConvShape& shape, const float* input,
                          float* output) const {
  const size_t channels = blocking_.num_channels;
  ColumnLists columns(num_packed_, channels * blocking_.num_taps,
                      [this](auto visit) {
                        ForEach([&](size_t row, size_t column, float value) {
                          visit(row - first_filter_, column, value);
                        });
                      });
  const ConvAxis& height = shape.height;
  const ConvAxis& width = shape.width;
  for (size_t b = 0; b < shape.batch; ++b) {
    for (int64_t y = 0; y < height.output; ++y) {
      for (int64_t x = 0; x < width.output; ++x, output += filters_) {
        for (int64_t tap = 0; tap < height.kernel * width.kernel; ++tap) {
          const int64_t in_y = y * height.stride - height.padding +
                               tap / width.kernel * height.dilation;
          const int64_t in_x = x * width.stride - width.padding +
                               tap % width.kernel * width.dilation;
          if (in_y < 0 || in_y >= height.input || in_x < 0 ||
              in_x >= width.input) {
            continue;
          }
          const float* pixel =
              input + (NumPixels(b, height.input, width.input) +
                       static_cast<size_t>(in_y * width.input + in_x)) *
                          channels;
          for (size_t c = 0; c < channels; ++c) {
            if (std::isfinite(pixel[c])) continue;
            columns.AddColumn(static_cast<size_t>(tap) * channels + c, pixel[c],
                              output + first_filter_);
          }
        }
      }
    }
  }
}

size_t Conv2D::size_bytes() const {
  size_t size = 0;
  for (const BlockedWeights& panel : panels_) size += panel.size_bytes();
  return size;
}

}  // namespace keras_dc
