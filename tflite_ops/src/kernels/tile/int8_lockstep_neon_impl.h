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
  static constexpr int32_t kInputOffset = 0;

  static Vector Zero() { return vdupq_n_s32(0); }
  static Vector Add(Vector a, Vector b) { return vaddq_s32(a, b); }
  static void Store(uint32_t* to, Vector v) {
    vst1q_u32(to, vreinterpretq_u32_s32(v));
  }
  static Vector AddStep(const uint8_t* columns, const uint8_t* weights,
                        const uint8_t* window, Vector sums) {
    return AddAt(vld1q_u8(columns), weights, window, sums);
  }
  static Vector AddWords(const uint8_t* columns, const uint8_t* weights,
                         const uint8_t* window, Vector sums) {
    uint32_t words;
    __builtin_memcpy(&words, columns, sizeof(words));
    // Each number of a word becomes the columns of its four bytes.
    const uint8_t lane_of_byte[] = {0, 0, 0, 0, 1, 1, 1, 1,
                                    2, 2, 2, 2, 3, 3, 3, 3};
    const uint8_t byte_in_word[] = {0, 1, 2, 3, 0, 1, 2, 3,
                                    0, 1, 2, 3, 0, 1, 2, 3};
    const uint8x16_t numbers = vqtbl1q_u8(
        vreinterpretq_u8_u32(vdupq_n_u32(words)), vld1q_u8(lane_of_byte));
    return AddAt(vaddq_u8(vshlq_n_u8(numbers, 2), vld1q_u8(byte_in_word)),
                 weights, window, sums);
  }
  static Vector AddAt(uint8x16_t columns, const uint8_t* weights,
                      const uint8_t* window, Vector sums) {
    uint8x16x4_t tables;
    for (int i = 0; i < 4; ++i) tables.val[i] = vld1q_u8(window + 16 * i);
    return AddProducts(vreinterpretq_s8_u8(vld1q_u8(weights)),
                       vreinterpretq_s8_u8(vqtbl4q_u8(tables, columns)), sums);
  }
};

}  // namespace

#include "kernels/tile/int8_lockstep_impl.h"

#endif  // KERAS_DC_SRC_KERNELS_TILE_INT8_LOCKSTEP_NEON_IMPL_H_
