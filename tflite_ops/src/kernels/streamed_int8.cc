// Int8 layers with little memory, see streamed_layers.h.
#include <algorithm>
#include <vector>

#include "common/return_if_error.h"
#include "kernels/forms/weight_words.h"
#include "kernels/streamed_layers.h"

namespace keras_dc {
namespace {

constexpr size_t kRangesPerThread = 2;

// sums[row] = bias + weights * (input - zero_point).
void Multiply(const SparseRows& rows, const int8_t* input, int32_t zero_point,
              const int32_t* bias, int32_t* sums) {
  for (size_t r = 0; r < static_cast<size_t>(rows.num_rows); ++r) {
    // Sums wrap.
    uint32_t sum = bias == nullptr ? 0 : static_cast<uint32_t>(bias[r]);
    for (size_t e = rows.row_begin[r]; e < rows.row_begin[r + 1]; ++e) {
      sum += static_cast<uint32_t>(Int8At(rows, e) *
                                   (input[rows.columns[e]] - zero_point));
    }
    sums[r] = static_cast<int32_t>(sum);
  }
}

}  // namespace

kdc_status RunStreamed(const StreamedWeights& weights,
                       const Int8FullyConnectedPlan& plan,
                       const Int8Inputs& inputs, const OutputScaling* scaling,
                       ThreadPool* pool, void* output) {
  if (plan.is_together()) {
    return RunStreamed(weights, plan.conv, inputs, scaling, pool, output);
  }
  const auto num_rows = static_cast<size_t>(weights.lines().matrix().rows);
  const auto num_columns =
      static_cast<size_t>(weights.lines().matrix().columns);
  return weights.ForEachRange(
      pool, plan.num_threads,
      [&](const SparseRows& rows, size_t first_row, size_t) {
        const auto size = static_cast<size_t>(rows.num_rows);
        std::vector<int32_t> sums(size);
        for (size_t b = 0; b < plan.batch; ++b) {
          Multiply(rows, inputs.values + b * num_columns, inputs.zero_point,
                   inputs.bias == nullptr ? nullptr : inputs.bias + first_row,
                   sums.data());
          const size_t at = b * num_rows + first_row;
          if (scaling == nullptr) {
            std::copy(sums.begin(), sums.end(),
                      static_cast<int32_t*>(output) + at);
          } else {
            RequantizePortable(OutputScalingView(*scaling, first_row), size,
                               sums.data(), static_cast<int8_t*>(output) + at);
          }
        }
        return KDC_OK;
      });
}

kdc_status RunStreamed(const StreamedWeights& weights, const Int8ConvPlan& plan,
                       const Int8Inputs& inputs, const OutputScaling* scaling,
                       ThreadPool* pool, void* output) {
  const auto filters = static_cast<size_t>(weights.lines().matrix().rows);
  // Threads divide the ranges among them if there are many, else the pixels.
  const bool by_ranges =
      weights.num_ranges() >= kRangesPerThread * plan.num_threads;
  const size_t num_threads = by_ranges ? plan.num_threads : 1;
  Int8ConvPlan range_plan = plan;
  if (by_ranges) range_plan.num_threads = 1;
  std::vector<Int8ConvScratch> scratch(num_threads);
  return weights.ForEachRange(
      pool, num_threads,
      [&](const SparseRows& rows, size_t first_row, size_t worker) {
        Int8Conv2D layer;
        KDC_RETURN_IF_ERROR(Int8Conv2D::PackBlock(rows, range_plan, first_row,
                                                  filters, &layer));
        layer.Run(range_plan, inputs, scaling, pool, &scratch[worker], output);
        return KDC_OK;
      });
}

}  // namespace keras_dc
