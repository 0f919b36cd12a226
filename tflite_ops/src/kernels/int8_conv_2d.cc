#include "kernels/int8_conv_2d.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/forms/weight_words.h"

namespace keras_dc {
namespace {

size_t NumPixels(const ConvShape& shape, int64_t height, int64_t width) {
  return shape.batch * static_cast<size_t>(height * width);
}

TileKernel TilesOf(const Int8TileKernel& kernel) {
  TileKernel tiles;
  tiles.lanes = kernel.lanes;
  tiles.max_outputs = kernel.max_outputs;
  return tiles;
}

// Where a word may become two, a block that is full has half the columns.
size_t MaxColumns(const Int8TileKernel& kernel) {
  return Blocking::kMaxColumns / (kernel.needs_small_pairs ? 2 : 1);
}

Int8TileKernel KernelFor(const ConvShape& shape, Isa isa) {
  const Int8TileKernel kernel = Int8TileKernelOf(isa);
  const auto num_taps =
      static_cast<size_t>(shape.height.kernel * shape.width.kernel);
  if (kernel.needs_small_pairs && num_taps > MaxColumns(kernel)) {
    return PortableInt8TileKernel();
  }
  return kernel;
}

MatrixKernel MatrixKernelFor(Isa isa) {
#if defined(KERAS_DC_AMX_KERNELS)
  if (isa == Isa::kAmx && MayUseMatrixRegisters()) return RunMatrixAmx;
#endif
  static_cast<void>(isa);
  return nullptr;
}

// Copies pixels to where each begins with a word. What fills its last word up
// may be anything, since it meets weights of 0: here it is what follows.
void CopyPixels(const int8_t* from, size_t num_pixels, size_t channels,
                int8_t* to) {
  const size_t pixel_bytes = NumWords(channels) * kWordChannels;
  size_t left = num_pixels * channels;
  for (; left >= pixel_bytes && left > 0; left -= channels) {
    for (size_t i = 0; i < pixel_bytes; i += kWordChannels) {
      std::memcpy(to + i, from + i, kWordChannels);
    }
    from += channels;
    to += pixel_bytes;
  }
  // Words of the last pixels would end behind the last one.
  for (; left > 0; left -= channels) {
    std::memcpy(to, from, channels);
    from += channels;
    to += pixel_bytes;
  }
}

// Words of pixels lie anywhere; they are read as bytes.
const float* AsWords(const void* bytes) {
  return static_cast<const float*>(bytes);
}

}  // namespace

Int8ConvPlan::Int8ConvPlan(const ConvShape& shape, size_t filters,
                           size_t num_channels, Isa isa, size_t threads)
    : channels(num_channels),
      num_threads(std::max<size_t>(threads, 1)),
      kernel(KernelFor(shape, isa)),
      tiles(shape, filters, NumWords(num_channels), TilesOf(kernel),
            MaxColumns(kernel), num_threads) {
  const MatrixKernel matrix_kernel = MatrixKernelFor(isa);
  if (matrix_kernel == nullptr) return;
  matrix = MatrixPlan(shape, num_channels, matrix_kernel);
}

kdc_status Int8Conv2D::Pack(const SparseRows& weights, const Int8ConvPlan& plan,
                            Int8Conv2D* packed) {
  return PackBlock(weights, plan, 0, static_cast<size_t>(weights.num_rows),
                   packed);
}

kdc_status Int8Conv2D::PackBlock(const SparseRows& block,
                                 const Int8ConvPlan& plan, size_t first_filter,
                                 size_t filters, Int8Conv2D* packed) {
  if (block.dtype != KDC_INT8) return KDC_INVALID_ARGUMENT;
  Int8Conv2D result;
  result.channels_ = plan.channels;
  result.filters_ = filters;
  result.first_filter_ = first_filter;
  result.has_small_pairs_ = plan.kernel.needs_small_pairs;
  result.blocking_ = plan.tiles.blocking;
  result.panel_rows_ = plan.tiles.panel_rows;
  result.row_sums_ = RowSums(block);
  const SparseRows words =
      WordsOf(block, plan.channels, result.has_small_pairs_);
  const auto num_rows = static_cast<size_t>(block.num_rows);
  if (!result.has_small_pairs_ &&
      plan.matrix.IsFaster(words.columns.size(), num_rows)) {
    result.matrix_ = MatrixWeights::Pack(words, plan.matrix.places(),
                                         plan.matrix.step_offsets().size());
    *packed = std::move(result);
    return KDC_OK;
  }
  for (size_t row = 0; row < num_rows; row += result.panel_rows_) {
    result.panels_.push_back(
        BlockedWeights::Pack(words, result.blocking_, row,
                             std::min(row + result.panel_rows_, num_rows)));
  }
  *packed = std::move(result);
  return KDC_OK;
}

// The products of the zero point are those of each row's sum, since padding has
// it, too.
uint32_t Int8Conv2D::StartOf(const Int8ConvPlan& plan, const Int8Inputs& inputs,
                             size_t row) const {
  const int32_t offset = is_matrix() ? 0 : plan.kernel.input_offset;
  const auto zero = static_cast<uint32_t>(inputs.zero_point + offset);
  const uint32_t bias =
      inputs.bias == nullptr
          ? 0
          : static_cast<uint32_t>(inputs.bias[first_filter_ + row]);
  return bias - zero * static_cast<uint32_t>(row_sums_[row]);
}

void Int8Conv2D::Run(const Int8ConvPlan& plan, const Int8Inputs& inputs,
                     const OutputScaling* scaling, ThreadPool* pool,
                     Int8ConvScratch* scratch, void* output) const {
  if (is_matrix()) {
    return RunMatrix(plan, inputs, scaling, pool, scratch, output);
  }
  const ConvPlan& tiles = plan.tiles;
  const size_t num_items = tiles.grid.num_tiles() * panels_.size();
  if (num_items == 0) return;
  const size_t pixel_bytes = NumWords(channels_) * kWordChannels;
  const int8_t* input = inputs.values;
  if (pixel_bytes != channels_) {
    const ConvShape& shape = tiles.shape;
    const size_t num_pixels =
        NumPixels(shape, shape.height.input, shape.width.input);
    scratch->input.resize(num_pixels * pixel_bytes);
    CopyPixels(inputs.values, num_pixels, channels_, scratch->input.data());
    input = scratch->input.data();
  }
  scratch->padding.assign(pixel_bytes, static_cast<int8_t>(inputs.zero_point));
  scratch->bias.resize(row_sums_.size());
  for (size_t row = 0; row < row_sums_.size(); ++row) {
    const uint32_t start = StartOf(plan, inputs, row);
    std::memcpy(&scratch->bias[row], &start, sizeof(start));
  }
  const size_t num_workers = std::min(plan.num_threads, num_items);
  const size_t lanes = plan.kernel.lanes;
  scratch->workers.resize(std::max(num_workers, scratch->workers.size()));
  for (size_t i = 0; i < num_workers; ++i) {
    Int8ConvScratch::Worker& worker = scratch->workers[i];
    const size_t num_inputs = tiles.grid.num_inputs();
    const size_t num_outputs = tiles.grid.max_outputs();
    worker.inputs.resize(num_inputs * lanes);
    worker.outputs.resize(num_outputs * lanes);
    worker.sum_outputs.resize(num_outputs * lanes);
    worker.pixels.resize(std::max(num_inputs, num_outputs) * lanes);
    worker.panel.resize(kPanelTables +
                        blocking_.block_channels * num_inputs * lanes);
    worker.sums.resize(panel_rows_ * num_outputs * lanes);
    worker.lines.resize(panel_rows_ * lanes);
  }
  const auto run = [&](size_t item, size_t worker) {
    RunItem(plan, item, reinterpret_cast<const uint8_t*>(input), scaling,
            *scratch, &scratch->workers[worker], output);
  };
  if (num_workers > 1) return pool->ParallelFor(num_items, num_workers, run);
  for (size_t item = 0; item < num_items; ++item) run(item, 0);
}

void Int8Conv2D::RunItem(const Int8ConvPlan& plan, size_t item,
                         const uint8_t* input, const OutputScaling* scaling,
                         const Int8ConvScratch& shared,
                         Int8ConvScratch::Worker* worker, void* output) const {
  const PixelGrid& grid = plan.tiles.grid;
  const size_t tile = item / panels_.size();
  const BlockedWeights& panel = panels_[item % panels_.size()];
  const size_t pixel_bytes = NumWords(channels_) * kWordChannels;
  grid.InputPixels(tile, worker->pixels.data());
  for (size_t i = 0; i < worker->inputs.size(); ++i) {
    const int32_t pixel = worker->pixels[i];
    worker->inputs[i] = AsWords(
        pixel < 0 ? reinterpret_cast<const uint8_t*>(shared.padding.data())
                  : input + static_cast<size_t>(pixel) * pixel_bytes);
  }
  grid.OutputPixels(tile, worker->pixels.data());
  const size_t num_outputs = grid.NumOutputs(tile);
  const size_t first_row = first_filter_ + panel.first_row;
  for (size_t i = 0; i < num_outputs * plan.kernel.lanes; ++i) {
    const int32_t pixel = worker->pixels[i];
    const size_t at = static_cast<size_t>(pixel) * filters_ + first_row;
    worker->outputs[i] = nullptr;
    worker->sum_outputs[i] = nullptr;
    if (pixel < 0) continue;
    if (scaling != nullptr) {
      worker->outputs[i] = static_cast<int8_t*>(output) + at;
    } else {
      worker->sum_outputs[i] = static_cast<float*>(output) + at;
    }
  }
  const TileWeights weights(panel);
  OutputScalingView view;
  Int8TileJob job;
  job.words.weights = &weights;
  job.words.bias = shared.bias.data() + panel.first_row;
  job.words.num_inputs = grid.num_inputs();
  job.words.inputs = worker->inputs.data();
  job.words.offsets = plan.tiles.offsets.data();
  job.words.num_offsets = plan.tiles.offsets.size();
  job.words.num_outputs = num_outputs;
  job.words.outputs = worker->sum_outputs.data();
  job.words.panel = worker->panel.data() + kPanelTables;
  job.words.sums = worker->sums.data();
  if (scaling != nullptr) {
    view = OutputScalingView(*scaling, first_row);
    job.scaling = &view;
    job.outputs = worker->outputs.data();
    job.lines = worker->lines.data();
  }
  plan.kernel.run(job);
}

size_t Int8Conv2D::size_bytes() const {
  size_t size = row_sums_.size() * sizeof(int32_t) +
                (is_matrix() ? matrix_.size_bytes() : 0);
  for (const BlockedWeights& panel : panels_) size += panel.size_bytes();
  return size;
}

}  // namespace keras_dc
