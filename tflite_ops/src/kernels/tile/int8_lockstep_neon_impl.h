// The loops of Int8Lockstep for NEON (AArch64), for int8_tile_neon.cc and
// int8_tile_neon_dot.cc, which define `AddProducts(weights, inputs, sums)`.
#ifndef KERAS_DC_SRC_KERNELS_TILE_INT8_LOCKSTEP_NEON_IMPL_H_
#define KERAS_DC_SRC_KERNELS_TILE_INT8_LOCKSTEP_NEON_IMPL_H_

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace {

struct LockstepSimd {
  using Vector = int32x4_t;
  static constexpr size_t kLanes = 4;
  // Four registers, in which one instruction looks bytes up.
  static constexpr size_t kWindow = 64;
  static constexpr bool kTakesWords = false;
  static constexpr int32_t kInputOffset = 0;

  static Vector Zero() { return vdupq_n_s32(0); }
  static Vector Add(Vector a, Vector b) { return vaddq_s32(a, b); }
  static void Store(uint32_t* to, Vector v) {
    vst1q_u32(to, vreinterpretq_u32_s32(v));
  }
  static Vector AddStep(const uint8_t* columns, const uint8_t* weights,
                        const uint8_t* window, Vector sums) {
    uint8x16x4_t tables;
    for (int i = 0; i < 4; ++i) tables.val[i] = vld1q_u8(window + 16 * i);
    const uint8x16_t inputs = vqtbl4q_u8(tables, vld1q_u8(columns));
    return AddProducts(vreinterpretq_s8_u8(vld1q_u8(weights)),
                       vreinterpretq_s8_u8(inputs), sums);
  }
};

}  // namespace

#include "kernels/tile/int8_lockstep_impl.h"

#endif  // KERAS_DC_SRC_KERNELS_TILE_INT8_LOCKSTEP_NEON_IMPL_H_
