// Compiled for NEON (AArch64) with the dot product of ARMv8.2.
#include <arm_neon.h>

namespace {

// Adds the four products of each word.
inline int32x4_t AddProducts(int8x16_t weights, int8x16_t inputs,
                             int32x4_t sums) {
  return vdotq_s32(sums, inputs, weights);
}

}  // namespace

#include "kernels/tile/int8_lockstep_neon_impl.h"
#include "kernels/tile/int8_tile_neon_impl.h"

namespace keras_dc {

Int8TileKernel NeonDotInt8TileKernel() { return MakeInt8TileKernel(); }
Int8LockstepKernel NeonDotInt8LockstepKernel() {
  return MakeInt8LockstepKernel();
}

}  // namespace keras_dc
