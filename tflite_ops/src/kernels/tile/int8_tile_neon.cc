// Compiled for NEON (AArch64) without the dot product.
#include <arm_neon.h>

namespace {

// Adds the four products of each word.
inline int32x4_t AddProducts(int8x16_t weights, int8x16_t inputs,
                             int32x4_t sums) {
  const int16x8_t low = vmull_s8(vget_low_s8(weights), vget_low_s8(inputs));
  const int16x8_t high = vmull_high_s8(weights, inputs);
  return vaddq_s32(sums, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}

}  // namespace

#include "kernels/tile/int8_lockstep_neon_impl.h"
#include "kernels/tile/int8_tile_neon_impl.h"

namespace keras_dc {

Int8TileKernel NeonInt8TileKernel() { return MakeInt8TileKernel(); }
Int8LockstepKernel NeonInt8LockstepKernel() { return MakeInt8LockstepKernel(); }

}  // namespace keras_dc
