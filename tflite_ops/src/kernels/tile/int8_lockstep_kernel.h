// The inner loops of Int8Lockstep.
#ifndef KERAS_DC_SRC_KERNELS_TILE_INT8_LOCKSTEP_KERNEL_H_
#define KERAS_DC_SRC_KERNELS_TILE_INT8_LOCKSTEP_KERNEL_H_

#include <cstddef>
#include <cstdint>

#include "common/cpu.h"
#include "kernels/forms/int8_lockstep.h"

namespace keras_dc {

struct Int8LockstepKernel {
  Int8LockstepShape shape;
  // What is added to an input before it is multiplied: its bytes are unsigned
  // numbers if this is 128, signed ones if it is 0.
  int32_t input_offset = 0;
  // sums[row] += weights * input, for the groups [begin_group, end_group). Null
  // if there is no kernel.
  //
  // Args:
  //   input: a byte for each column, and kMaxWindow behind them.
  //   sums: 32-bit integers, from row 0 on; they wrap.
  void (*run)(const Int8LockstepView& rows, size_t begin_group,
              size_t end_group, const uint8_t* input, int32_t* sums) = nullptr;
};

Int8LockstepKernel Int8LockstepKernelOf(Isa isa);

Int8LockstepKernel Avx2Int8LockstepKernel();
Int8LockstepKernel VnniInt8LockstepKernel();
Int8LockstepKernel NeonInt8LockstepKernel();
Int8LockstepKernel NeonDotInt8LockstepKernel();

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_INT8_LOCKSTEP_KERNEL_H_
