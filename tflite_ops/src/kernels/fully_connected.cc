#include "kernels/fully_connected.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "common/return_if_error.h"
#include "kernels/batch_rows.h"
#include "kernels/non_finite.h"
#include "kernels/tile/dense_rows.h"

namespace keras_dc {
namespace {

// Above this density DenseRows are faster than RowWeights.
constexpr double kMaxRowWeightsDensity = 0.45;
// The same where the dense weights stay in the second cache, as those of a
// recurrent layer do. With AVX-512 RowWeights take 3 weights/ns, DenseRows 30.
constexpr double kMaxDensityInCacheAvx512 = 0.09;
// With NEON a weight of ProductSums takes about four times, and one of
// RowWeights six times, as long as one of DenseRows: a prediction by models of
// processors (docs/platforms.md), not measured.
constexpr double kMaxDensityInCacheNeon = 0.25;
constexpr size_t kMaxCachedBytes = 1 << 20;
// With fewer weights a thread costs more time than it saves.
constexpr size_t kMinWeightsPerThread = 32 * 1024;

double DensityOf(const SparseRows& weights) {
  const double num_weights = static_cast<double>(weights.num_rows) *
                             static_cast<double>(weights.num_columns);
  return static_cast<double>(weights.columns.size()) /
         std::max(num_weights, 1.0);
}

// Above this density DenseRows are the fastest form but for LockstepWeights, if
// they stay in the cache.
double MaxDensityInCache(Isa isa) {
  switch (isa) {
    case Isa::kAmx:
    case Isa::kAvx512:
      return kMaxDensityInCacheAvx512;
    case Isa::kNeon:
      return kMaxDensityInCacheNeon;
    default:
      return 1.0;
  }
}

bool SuitsCachedRows(const SparseRows& weights, Isa isa) {
  const size_t dense_bytes = static_cast<size_t>(weights.num_rows) *
                             static_cast<size_t>(weights.num_columns) *
                             sizeof(float);
  return dense_bytes <= kMaxCachedBytes &&
         DensityOf(weights) > MaxDensityInCache(isa);
}

// Adds the products of inputs that are Inf or NaN.
template <typename Form>
void AddNonFinite(const Form& form, size_t num_rows, size_t num_columns,
                  const float* input, float* output) {
  ColumnLists columns(num_rows, num_columns,
                      [&form](auto visit) { form.ForEach(visit); });
  for (size_t c = 0; c < num_columns; ++c) {
    if (!std::isfinite(input[c])) columns.AddColumn(c, input[c], output);
  }
}

size_t MostThreads(const FullyConnectedPlan& plan, size_t num_weights) {
  return std::min(plan.num_threads, num_weights / kMinWeightsPerThread + 1);
}

}  // namespace

FullyConnectedPlan::FullyConnectedPlan(size_t num_rows, size_t num_columns,
                                       size_t batch_size, Isa chosen_isa,
                                       size_t threads)
    : isa(chosen_isa),
      batch(batch_size),
      num_threads(std::max<size_t>(threads, 1)) {
  if (is_together()) {
    conv = ConvPlan(BatchAsImage(batch), num_rows, num_columns, isa, threads);
  }
}

DenseRows DenseRows::Pack(const SparseRows& weights) {
  DenseRows packed;
  packed.num_rows = static_cast<size_t>(weights.num_rows);
  packed.num_columns = static_cast<size_t>(weights.num_columns);
  packed.weights.resize(packed.num_rows * packed.num_columns);
  for (size_t r = 0; r < packed.num_rows; ++r) {
    float* row = packed.weights.data() + r * packed.num_columns;
    for (size_t e = weights.row_begin[r]; e < weights.row_begin[r + 1]; ++e) {
      std::memcpy(&row[weights.columns[e]], weights.ValueAt(e), sizeof(float));
    }
  }
  return packed;
}

void DenseRows::Run(Isa isa, size_t begin_row, size_t end_row,
                    const float* input, float* output) const {
#if defined(KERAS_DC_X86_KERNELS)
  if (isa >= Isa::kAvx512) {
    return RunDenseRowsAvx512(weights.data(), num_columns, begin_row, end_row,
                              input, output);
  }
#elif defined(KERAS_DC_NEON_KERNELS)
  if (isa == Isa::kNeon) {
    return RunDenseRowsNeon(weights.data(), num_columns, begin_row, end_row,
                            input, output);
  }
#else
  static_cast<void>(isa);
#endif
  constexpr size_t kSums = 16;
  for (size_t r = begin_row; r < end_row; ++r) {
    const float* row = weights.data() + r * num_columns;
    float sums[kSums] = {};
    size_t c = 0;
    for (; c + kSums <= num_columns; c += kSums) {
      for (size_t k = 0; k < kSums; ++k) sums[k] += row[c + k] * input[c + k];
    }
    for (size_t k = 0; c + k < num_columns; ++k) {
      sums[k] += row[c + k] * input[c + k];
    }
    for (size_t width = kSums / 2; width > 0; width /= 2) {
      for (size_t k = 0; k < width; ++k) sums[k] += sums[k + width];
    }
    output[r] = sums[0];
  }
}

kdc_status FullyConnected::Pack(SparseRows weights,
                                const FullyConnectedPlan& plan,
                                FullyConnected* packed) {
  if (weights.dtype != KDC_FLOAT32) return KDC_INVALID_ARGUMENT;
  FullyConnected result;
  result.num_rows_ = static_cast<size_t>(weights.num_rows);
  result.num_columns_ = static_cast<size_t>(weights.num_columns);
  result.isa_ = plan.isa;
  if (plan.is_together()) {
    Conv2D conv;
    KDC_RETURN_IF_ERROR(Conv2D::Pack(weights, plan.conv, &conv));
    result.form_ = std::move(conv);
  } else if (plan.isa >= Isa::kAvx512 && LockstepWeights::Suits(weights)) {
    result.form_ = LockstepWeights::Pack(weights);
  } else if (SuitsCachedRows(weights, plan.isa)) {
    result.form_ = DenseRows::Pack(weights);
  } else if (ProductSums::Suits(weights)) {
    result.num_threads_ = plan.num_threads;
    result.form_ =
        ProductSums::Pack(weights, MostThreads(plan, weights.indices.size()));
  } else if (DensityOf(weights) > kMaxRowWeightsDensity) {
    result.form_ = DenseRows::Pack(weights);
  } else {
    result.form_ = RowWeights::Pack(std::move(weights));
  }
  *packed = std::move(result);
  return KDC_OK;
}

bool FullyConnected::Fits(const FullyConnectedPlan& plan) const {
  if (const auto* conv = std::get_if<Conv2D>(&form_)) {
    return plan.is_together() && conv->Fits(plan.conv);
  }
  if (Is<ProductSums>() && plan.num_threads != num_threads_) return false;
  return !plan.is_together() && plan.isa == isa_;
}

void FullyConnected::RunRow(const FullyConnectedPlan& plan, const float* input,
                            ThreadPool* pool, FullyConnectedScratch* scratch,
                            float* output) const {
  const auto split = [&](size_t size, size_t num_weights, auto task) {
    SplitAmongThreads(size, MostThreads(plan, num_weights), pool, task);
  };
#if defined(KERAS_DC_X86_KERNELS)
  if (const auto* lockstep = std::get_if<LockstepWeights>(&form_)) {
    constexpr size_t kWindow = LockstepWeights::kWindowColumns;
    const size_t size = (num_columns_ + kWindow - 1) / kWindow * kWindow;
    // The input with zeros behind it, aligned to a cache line.
    const float* padded = input;
    if (size != num_columns_ || reinterpret_cast<uintptr_t>(input) % 64 != 0) {
      scratch->input.resize(size);
      std::copy_n(input, num_columns_, scratch->input.begin());
      std::fill(
          scratch->input.begin() + static_cast<std::ptrdiff_t>(num_columns_),
          scratch->input.end(), 0.0f);
      padded = scratch->input.data();
    }
    scratch->sums.resize(lockstep->num_groups * LockstepWeights::kLanes);
    const LockstepView view(*lockstep);
    const Prefetch prefetch =
        ThisCpu().prefers_second_cache ? Prefetch::kFar : Prefetch::kNear;
    split(lockstep->num_groups, lockstep->words.size(),
          [&](size_t begin, size_t end) {
            RunLockstepAvx512(view, prefetch, begin, end, padded,
                              scratch->sums.data(), output);
          });
    return;
  }
#endif
  if (const auto* sums = std::get_if<ProductSums>(&form_)) {
    const size_t num_panels = sums->panels.size();
    const size_t num_workers = std::min(plan.num_threads, num_panels);
    scratch->tables.resize(num_workers);
    for (auto& table : scratch->tables) {
      table.resize(ProductSums::kColumns * sums->num_centroids);
    }
    const auto run = [&](size_t panel, size_t worker) {
      sums->Run(panel, input, scratch->tables[worker].data(), output);
    };
    if (num_workers > 1) return pool->ParallelFor(num_panels, num_workers, run);
    for (size_t panel = 0; panel < num_panels; ++panel) run(panel, 0);
  } else if (const auto* dense = std::get_if<DenseRows>(&form_)) {
    split(num_rows_, dense->weights.size(), [&](size_t begin, size_t end) {
      dense->Run(isa_, begin, end, input, output);
    });
  } else if (const auto* rows = std::get_if<RowWeights>(&form_)) {
    split(num_rows_, rows->size_bytes() / 4, [&](size_t begin, size_t end) {
      rows->Run(begin, end, input, output);
    });
  }
}

void FullyConnected::Run(const FullyConnectedPlan& plan, const float* input,
                         const float* bias, Activation activation,
                         ThreadPool* pool, FullyConnectedScratch* scratch,
                         float* output) const {
  if (const auto* conv = std::get_if<Conv2D>(&form_)) {
    return conv->Run(plan.conv, input, bias, activation, pool, &scratch->conv,
                     output);
  }
  const auto has_non_finite = TileKernelOf(plan.isa).has_non_finite;
  for (size_t b = 0; b < plan.batch; ++b) {
    const float* in = input + b * num_columns_;
    float* out = output + b * num_rows_;
    if (!Is<DenseRows>() && has_non_finite(in, num_columns_)) {
      const std::vector<float> finite = FiniteOnly(in, num_columns_);
      RunRow(plan, finite.data(), pool, scratch, out);
      std::visit(
          [&](const auto& form) {
            // DenseRows multiply every weight anyway.
            if constexpr (!std::is_same_v<decltype(form), const DenseRows&>) {
              AddNonFinite(form, num_rows_, num_columns_, in, out);
            }
          },
          form_);
    } else {
      RunRow(plan, in, pool, scratch, out);
    }
    if (bias != nullptr) {
      for (size_t r = 0; r < num_rows_; ++r) out[r] += bias[r];
    }
  }
  ApplyActivation(activation, plan.batch * num_rows_, output);
}

size_t FullyConnected::size_bytes() const {
  return std::visit([](const auto& form) { return form.size_bytes(); }, form_);
}

}  // namespace keras_dc
