#include "kernels/streamed_layers.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "common/return_if_error.h"
#include "kernels/forms/row_weights.h"
#include "kernels/tile/tile.h"

namespace keras_dc {
namespace {

constexpr size_t kRangesPerThread = 2;
// With fewer entries a thread costs more time than it saves.
constexpr size_t kMinEntriesPerThread = 32 * 1024;

// output[row] = sum over columns of weights * input, for inputs that are Inf or
// NaN: pruned weights are multiplied, too.
void MultiplyDense(const SparseRows& rows, size_t num_columns,
                   const float* input, float* output) {
  std::vector<float> row(num_columns);
  for (size_t r = 0; r < static_cast<size_t>(rows.num_rows); ++r) {
    std::fill(row.begin(), row.end(), 0.0f);
    for (size_t e = rows.row_begin[r]; e < rows.row_begin[r + 1]; ++e) {
      std::memcpy(&row[rows.columns[e]], rows.ValueAt(e), sizeof(float));
    }
    float sum = 0.0f;
    for (size_t c = 0; c < num_columns; ++c) sum += row[c] * input[c];
    output[r] = sum;
  }
}

// Adds the products of the columns from `first_column` on to `output`.
void AddColumns(const SparseRows& columns, size_t first_column,
                const float* input, float* output) {
  for (size_t c = 0; c < static_cast<size_t>(columns.num_rows); ++c) {
    const float x = input[first_column + c];
    for (size_t e = columns.row_begin[c]; e < columns.row_begin[c + 1]; ++e) {
      float value;
      std::memcpy(&value, columns.ValueAt(e), sizeof(value));
      output[columns.columns[e]] += value * x;
    }
  }
}

// Adds the products of all columns to `output`, for `batch` inputs, which are
// finite.
kdc_status AddByColumns(const StreamedWeights& weights, size_t num_threads,
                        size_t batch, size_t num_rows, size_t num_columns,
                        const float* input, ThreadPool* pool, float* output) {
  // Each thread but the first has sums of its own.
  std::vector<std::vector<float>> sums(num_threads);
  const kdc_status status = weights.lines().ForEach(
      pool, num_threads,
      [&](const SparseRows& columns, size_t first_column, size_t worker) {
        float* out = output;
        if (worker > 0) {
          sums[worker].resize(batch * num_rows);
          out = sums[worker].data();
        }
        for (size_t b = 0; b < batch; ++b) {
          AddColumns(columns, first_column, input + b * num_columns,
                     out + b * num_rows);
        }
        return KDC_OK;
      });
  for (const std::vector<float>& sum : sums) {
    for (size_t i = 0; i < sum.size(); ++i) output[i] += sum[i];
  }
  return status;
}

}  // namespace

kdc_status RunStreamed(const StreamedWeights& weights,
                       const FullyConnectedPlan& plan, const float* input,
                       const float* bias, Activation activation,
                       ThreadPool* pool, float* output) {
  if (plan.is_together()) {
    return RunStreamed(weights, plan.conv, input, bias, activation, pool,
                       output);
  }
  const auto num_rows = static_cast<size_t>(weights.lines().matrix().rows);
  const auto num_columns =
      static_cast<size_t>(weights.lines().matrix().columns);
  const size_t num_threads =
      std::min(plan.num_threads,
               weights.lines().blob().num_entries() / kMinEntriesPerThread + 1);
  const bool is_finite =
      !TileKernelOf(plan.isa).has_non_finite(input, plan.batch * num_columns);
  kdc_status status;
  if (!weights.lines().is_by_rows() && is_finite) {
    std::fill_n(output, plan.batch * num_rows, 0.0f);
    status = AddByColumns(weights, num_threads, plan.batch, num_rows,
                          num_columns, input, pool, output);
  } else {
    status = weights.ForEachRange(
        pool, num_threads,
        [&](const SparseRows& rows, size_t first_row, size_t) {
          for (size_t b = 0; b < plan.batch; ++b) {
            const float* in = input + b * num_columns;
            float* out = output + b * num_rows + first_row;
            if (is_finite) {
              MultiplyUnpacked(rows, in, out);
            } else {
              MultiplyDense(rows, num_columns, in, out);
            }
          }
          return KDC_OK;
        });
  }
  KDC_RETURN_IF_ERROR(status);
  for (size_t b = 0; b < plan.batch && bias != nullptr; ++b) {
    for (size_t r = 0; r < num_rows; ++r) output[b * num_rows + r] += bias[r];
  }
  ApplyActivation(activation, plan.batch * num_rows, output);
  return KDC_OK;
}

kdc_status RunStreamed(const StreamedWeights& weights, const ConvPlan& plan,
                       const float* input, const float* bias,
                       Activation activation, ThreadPool* pool, float* output) {
  const auto filters = static_cast<size_t>(weights.lines().matrix().rows);
  // Threads divide the ranges among them if there are many, else the pixels.
  const bool by_ranges =
      weights.num_ranges() >= kRangesPerThread * plan.num_threads;
  const size_t num_threads = by_ranges ? plan.num_threads : 1;
  ConvPlan range_plan = plan;
  if (by_ranges) range_plan.num_threads = 1;
  std::vector<ConvScratch> scratch(num_threads);
  const ConvShape& shape = plan.shape;
  const auto num_pixels = [&shape](int64_t height, int64_t width) {
    return shape.batch * static_cast<size_t>(height * width);
  };
  const size_t num_inputs = num_pixels(shape.height.input, shape.width.input) *
                            plan.blocking.num_channels;
  // An activation that is not a clamp is applied to the whole output at the
  // end.
  const bool is_clamp = activation != Activation::kTanh &&
                        !plan.kernel.has_non_finite(input, num_inputs);
  const kdc_status status = weights.ForEachRange(
      pool, num_threads,
      [&](const SparseRows& rows, size_t first_row, size_t worker) {
        Conv2D layer;
        KDC_RETURN_IF_ERROR(
            Conv2D::PackBlock(rows, range_plan, first_row, filters, &layer));
        layer.Run(range_plan, input, bias,
                  is_clamp ? activation : Activation::kNone, pool,
                  &scratch[worker], output);
        return KDC_OK;
      });
  if (status == KDC_OK && !is_clamp) {
    ApplyActivation(
        activation,
        num_pixels(shape.height.output, shape.width.output) * filters, output);
  }
  return status;
}

}  // namespace keras_dc
