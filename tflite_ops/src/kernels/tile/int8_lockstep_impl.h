// The loops of int8_lockstep_kernel.h over a SIMD type, for the files of the
// instruction sets; see tile_sums_impl.h. Such a file defines, before it
// includes this, `LockstepSimd` with Vector (kLanes sums), kLanes, kWindow,
// kInputOffset, Zero, Add, Store, and
//   AddStep(columns, weights, window, sums)
//     sums[l] += the products of lane l's four weights; `window` is where the
//     inputs of the window begin
//   AddWords(columns, weights, window, sums)
//     the same for words
#ifndef KERAS_DC_SRC_KERNELS_TILE_INT8_LOCKSTEP_IMPL_H_
#define KERAS_DC_SRC_KERNELS_TILE_INT8_LOCKSTEP_IMPL_H_

#include "kernels/tile/int8_lockstep_kernel.h"

namespace keras_dc {
namespace {

template <bool kHasWords>
void RunLockstepGroups(const Int8LockstepView& rows, size_t begin_group,
                       size_t end_group, const uint8_t* input, int32_t* sums) {
  using Simd = LockstepSimd;
  constexpr size_t kLanes = Simd::kLanes;
  constexpr size_t kWeights = kLanes * Int8Lockstep::kSlots;
  constexpr size_t kColumns = kHasWords ? kLanes : kWeights;
  // How many steps ahead to prefetch: they are read in order, from memory.
  constexpr size_t kAhead = 8192 / (kColumns + kWeights);
  const auto add = [&](size_t step, typename Simd::Vector to) {
    const uint8_t* columns = rows.columns + step * kColumns;
    const uint8_t* weights = rows.weights + step * kWeights;
    const uint8_t* window =
        input + size_t{rows.windows[step]} * Int8Lockstep::kUnit;
    __builtin_prefetch(columns + kAhead * kColumns);
    __builtin_prefetch(weights + kAhead * kWeights);
    if constexpr (kHasWords) {
      return Simd::AddWords(columns, weights, window, to);
    } else {
      return Simd::AddStep(columns, weights, window, to);
    }
  };
  for (size_t group = begin_group; group < end_group; ++group) {
    // Several sums, since an addition must wait for the one before.
    typename Simd::Vector even = Simd::Zero(), odd = Simd::Zero();
    size_t step = rows.group_begin[group];
    const size_t end = rows.group_begin[group + 1];
    for (; step + 2 <= end; step += 2) {
      even = add(step, even);
      odd = add(step + 1, odd);
    }
    if (step < end) even = add(step, even);
    alignas(64) uint32_t lanes[kLanes];
    Simd::Store(lanes, Simd::Add(even, odd));
    for (size_t l = 0; l < kLanes; ++l) {
      const uint32_t row = rows.row_of_lane[group * kLanes + l];
      if (row == UINT32_MAX) continue;
      sums[row] =
          static_cast<int32_t>(static_cast<uint32_t>(sums[row]) + lanes[l]);
    }
  }
}

void RunLockstep(const Int8LockstepView& rows, size_t begin_group,
                 size_t end_group, const uint8_t* input, int32_t* sums) {
  if (rows.has_words) {
    return RunLockstepGroups<true>(rows, begin_group, end_group, input, sums);
  }
  RunLockstepGroups<false>(rows, begin_group, end_group, input, sums);
}

Int8LockstepKernel MakeInt8LockstepKernel() {
  return {{LockstepSimd::kLanes, LockstepSimd::kWindow},
          LockstepSimd::kInputOffset,
          RunLockstep};
}

}  // namespace
}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_INT8_LOCKSTEP_IMPL_H_
