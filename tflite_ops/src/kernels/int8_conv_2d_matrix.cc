// Int8Conv2D with matrix registers. The kernel does the work: this is compiled
// to be small.
#include <algorithm>

#include "kernels/int8_conv_2d.h"

namespace keras_dc {
namespace {

// Items that threads divide among them.
constexpr size_t kItemsPerThread = 3;

}  // namespace

void Int8Conv2D::RunMatrix(const Int8ConvPlan& plan, const Int8Inputs& inputs,
                           const OutputScaling* scaling, ThreadPool* pool,
                           Int8ConvScratch* scratch, void* output) const {
  const MatrixPlan& matrix = plan.matrix;
  const std::vector<MatrixPixels>& pixels = matrix.pixels();
  const size_t num_panels = matrix_.num_panels();
  scratch->matrix_bias.resize(num_panels * matrix_.panel_rows());
  for (size_t row = 0; row < row_sums_.size(); ++row) {
    scratch->matrix_bias[row] =
        static_cast<int32_t>(StartOf(plan, inputs, row));
  }
  const auto for_each = [&](size_t num_items, size_t num_workers, auto task) {
    if (num_workers > 1) {
      return pool->ParallelFor(num_items, num_workers, task);
    }
    for (size_t item = 0; item < num_items; ++item) task(item, size_t{0});
  };
  const auto* input = reinterpret_cast<const uint8_t*>(inputs.values);
  if (!matrix.is_direct()) {
    scratch->matrix_input.resize(matrix.copy_bytes());
    uint8_t* copy = scratch->matrix_input.data();
    for_each(matrix.num_lines(), plan.num_threads, [&](size_t line, size_t) {
      matrix.CopyLine(inputs.values, static_cast<int8_t>(inputs.zero_point),
                      line, copy);
    });
    input = copy;
  }
  // Each part of the pixels makes the weights dense anew.
  const size_t num_parts =
      plan.num_threads == 1
          ? 1
          : std::min(pixels.size(),
                     (plan.num_threads * kItemsPerThread + num_panels - 1) /
                         num_panels);
  const size_t num_items = num_panels * num_parts;
  const size_t num_workers = std::min(plan.num_threads, num_items);
  scratch->workers.resize(std::max(num_workers, scratch->workers.size()));
  const std::vector<size_t>& steps = matrix.step_offsets();
  for (size_t i = 0; i < num_workers; ++i) {
    Int8ConvScratch::Worker& worker = scratch->workers[i];
    worker.dense.resize(std::max(steps.size(), MatrixJob::kStepsAhead) *
                        matrix_.panel_rows() * MatrixJob::kStepBytes);
    worker.matrix_sums.resize(MatrixJob::kPanelRows * MatrixPixels::kSize);
  }
  for_each(num_items, num_workers, [&](size_t item, size_t worker) {
    const size_t panel = item % num_panels, part = item / num_panels;
    const size_t begin = pixels.size() * part / num_parts;
    MatrixJob job;
    matrix_.SetPanel(panel, &job);
    job.step_offsets = steps.data();
    job.input = input;
    job.pixel_stride = matrix.pixel_stride();
    job.pixels = pixels.data() + begin;
    job.num_pixels = pixels.size() * (part + 1) / num_parts - begin;
    const size_t first_row = panel * matrix_.panel_rows();
    job.bias = scratch->matrix_bias.data() + first_row;
    job.num_filters = filters_;
    const size_t first = first_filter_ + first_row;
    OutputScalingView view;
    if (scaling != nullptr) {
      view = OutputScalingView(*scaling, first);
      job.scaling = &view;
      job.requantize = plan.kernel.requantize;
      job.output = static_cast<int8_t*>(output) + first;
    } else {
      job.output = static_cast<uint8_t*>(output) + first * sizeof(int32_t);
    }
    job.dense = scratch->workers[worker].dense.data();
    job.sums = scratch->workers[worker].matrix_sums.data();
    matrix.kernel()(job);
  });
}

}  // namespace keras_dc
