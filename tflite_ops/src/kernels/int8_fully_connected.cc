#include "kernels/int8_fully_connected.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/return_if_error.h"
#include "kernels/batch_rows.h"
#include "kernels/forms/weight_words.h"

namespace keras_dc {
namespace {

// With fewer bytes of weights a thread costs more time than it saves.
constexpr size_t kMinBytesPerThread = 64 * 1024;
// What makes an int8 input unsigned, for Int8Rows.
constexpr int32_t kOffset = 128;
// A step of Int8Lockstep takes about as long as so many weights of Int8Rows.
constexpr size_t kWeightsPerStep = 3;

}  // namespace

Int8FullyConnectedPlan::Int8FullyConnectedPlan(size_t num_rows,
                                               size_t num_columns,
                                               size_t batch_size,
                                               Isa chosen_isa, size_t threads)
    : isa(chosen_isa),
      batch(batch_size),
      num_threads(std::max<size_t>(threads, 1)) {
  if (is_together()) {
    conv =
        Int8ConvPlan(BatchAsImage(batch), num_rows, num_columns, isa, threads);
  } else {
    lockstep = Int8LockstepKernelOf(isa);
  }
}

kdc_status Int8FullyConnected::Pack(const SparseRows& weights,
                                    const Int8FullyConnectedPlan& plan,
                                    Int8FullyConnected* packed) {
  if (weights.dtype != KDC_INT8) return KDC_INVALID_ARGUMENT;
  Int8FullyConnected result;
  result.num_rows_ = static_cast<size_t>(weights.num_rows);
  result.num_columns_ = static_cast<size_t>(weights.num_columns);
  result.isa_ = plan.isa;
  if (plan.is_together()) {
    Int8Conv2D conv;
    KDC_RETURN_IF_ERROR(Int8Conv2D::Pack(weights, plan.conv, &conv));
    result.form_ = std::move(conv);
  } else {
    result.row_sums_ = RowSums(weights);
    result.PackRows(weights, plan.lockstep);
  }
  *packed = std::move(result);
  return KDC_OK;
}

void Int8FullyConnected::PackRows(const SparseRows& weights,
                                  const Int8LockstepKernel& kernel) {
  if (kernel.run != nullptr && num_columns_ <= Int8Lockstep::kMaxColumns) {
    Int8Lockstep lockstep = Int8Lockstep::Pack(weights, kernel.shape);
    if (lockstep.num_steps() * kWeightsPerStep <= weights.columns.size()) {
      input_offset_ = kernel.input_offset;
      form_ = std::move(lockstep);
      return;
    }
  }
  input_offset_ = kOffset;
  form_ = Int8Rows::Pack(weights);
}

bool Int8FullyConnected::Fits(const Int8FullyConnectedPlan& plan) const {
  if (const auto* conv = std::get_if<Int8Conv2D>(&form_)) {
    return plan.is_together() && conv->Fits(plan.conv);
  }
  return !plan.is_together() && plan.isa == isa_;
}

void Int8FullyConnected::AddProducts(const Int8FullyConnectedPlan& plan,
                                     const uint8_t* input, ThreadPool* pool,
                                     int32_t* sums) const {
  const auto run = [&](size_t begin, size_t end) {
    if (const auto* rows = std::get_if<Int8Rows>(&form_)) {
      rows->Run(begin, end, input, sums);
    } else {
      plan.lockstep.run(Int8LockstepView(std::get<Int8Lockstep>(form_)), begin,
                        end, input, sums);
    }
  };
  const size_t num_threads =
      std::min(plan.num_threads, size_bytes() / kMinBytesPerThread + 1);
  const auto* lockstep = std::get_if<Int8Lockstep>(&form_);
  const size_t size = lockstep == nullptr ? num_rows_ : lockstep->num_groups();
  SplitAmongThreads(size, num_threads, pool, run);
}

void Int8FullyConnected::Run(const Int8FullyConnectedPlan& plan,
                             const Int8Inputs& inputs,
                             const OutputScaling* scaling, ThreadPool* pool,
                             Int8FullyConnectedScratch* scratch,
                             void* output) const {
  if (const auto* conv = std::get_if<Int8Conv2D>(&form_)) {
    return conv->Run(plan.conv, inputs, scaling, pool, &scratch->conv, output);
  }
  // The last window may begin at the last column.
  scratch->input.resize(num_columns_ + Int8Lockstep::kMaxWindow);
  scratch->sums.resize(num_rows_);
  const Requantize requantize = Int8TileKernelOf(plan.isa).requantize;
  const auto zero = static_cast<uint32_t>(inputs.zero_point + input_offset_);
  for (size_t b = 0; b < plan.batch; ++b) {
    const int8_t* in = inputs.values + b * num_columns_;
    for (size_t c = 0; c < num_columns_; ++c) {
      scratch->input[c] = static_cast<uint8_t>(in[c] + input_offset_);
    }
    int32_t* sums = scratch->sums.data();
    for (size_t r = 0; r < num_rows_; ++r) {
      const uint32_t start =
          inputs.bias == nullptr ? 0 : static_cast<uint32_t>(inputs.bias[r]);
      sums[r] = static_cast<int32_t>(
          start - zero * static_cast<uint32_t>(row_sums_[r]));
    }
    AddProducts(plan, scratch->input.data(), pool, sums);
    if (scaling == nullptr) {
      std::memcpy(
          static_cast<uint8_t*>(output) + b * num_rows_ * sizeof(int32_t), sums,
          num_rows_ * sizeof(int32_t));
    } else {
      requantize(OutputScalingView(*scaling, 0), num_rows_, sums,
                 static_cast<int8_t*>(output) + b * num_rows_);
    }
  }
}

size_t Int8FullyConnected::size_bytes() const {
  return row_sums_.size() * sizeof(int32_t) +
         std::visit([](const auto& form) { return form.size_bytes(); }, form_);
}

}  // namespace keras_dc
