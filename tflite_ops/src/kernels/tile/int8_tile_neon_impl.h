// The int8 tile kernel for NEON (AArch64), for int8_tile_neon.cc and
// int8_tile_neon_dot.cc, which define `AddProducts(weights, inputs, sums)`.
#ifndef KERAS_DC_SRC_KERNELS_TILE_INT8_TILE_NEON_IMPL_H_
#define KERAS_DC_SRC_KERNELS_TILE_INT8_TILE_NEON_IMPL_H_

#include <arm_neon.h>

#include <cstddef>

#include "kernels/tile/int8_tile.h"

namespace keras_dc {
namespace {

// round(round(sums * 2^left * multiplier / 2^31) / 2^right), see requantize.h.
inline int32x4_t MultiplyByScales(int32x4_t sums, int32x4_t multipliers,
                                  int32x4_t left, int32x4_t right) {
  const int32x4_t high = vqrdmulhq_s32(vshlq_s32(sums, left), multipliers);
  // vrshlq rounds halves upwards: negative halves are moved below.
  const int32x4_t is_shifted =
      vreinterpretq_s32_u32(vcgtq_s32(right, vdupq_n_s32(0)));
  const int32x4_t fixup = vandq_s32(vshrq_n_s32(high, 31), is_shifted);
  return vrshlq_s32(vqaddq_s32(high, fixup), vnegq_s32(right));
}

// round(sums * 2^(left - right) * multipliers / 2^31), see requantize.h.
inline int32x4_t MultiplyByScalesOnce(int32x4_t sums, int32x4_t multipliers,
                                      int32x4_t left, int32x4_t right) {
  // The shift to the left is negative.
  const int32x4_t shift = vsubq_s32(vsubq_s32(left, right), vdupq_n_s32(31));
  const int64x2_t low =
      vrshlq_s64(vmull_s32(vget_low_s32(sums), vget_low_s32(multipliers)),
                 vmovl_s32(vget_low_s32(shift)));
  const int64x2_t high =
      vrshlq_s64(vmull_high_s32(sums, multipliers), vmovl_high_s32(shift));
  return vcombine_s32(vmovn_s64(low), vmovn_s64(high));
}

void RequantizeNeon(const OutputScalingView& scaling, size_t num_rows,
                    const void* sums, int8_t* outputs) {
  const int32x4_t lowest = vdupq_n_s32(scaling.lowest - scaling.zero_point);
  const int32x4_t highest = vdupq_n_s32(scaling.highest - scaling.zero_point);
  const int32x4_t zero_point = vdupq_n_s32(scaling.zero_point);
  const auto* from = static_cast<const uint8_t*>(sums);
  size_t r = 0;
  for (; r + 4 <= num_rows; r += 4) {
    const int32x4_t sum =
        vreinterpretq_s32_u8(vld1q_u8(from + r * sizeof(int32_t)));
    const int32x4_t multiplier = vld1q_s32(scaling.multipliers + r);
    const int32x4_t left_shift = vld1q_s32(scaling.left_shifts + r);
    const int32x4_t right_shift = vld1q_s32(scaling.right_shifts + r);
    const int32x4_t scaled =
        scaling.rounds_once
            ? MultiplyByScalesOnce(sum, multiplier, left_shift, right_shift)
            : MultiplyByScales(sum, multiplier, left_shift, right_shift);
    const int32x4_t clamped =
        vaddq_s32(vminq_s32(vmaxq_s32(scaled, lowest), highest), zero_point);
    const int16x4_t narrow = vmovn_s32(clamped);
    const int8x8_t bytes = vmovn_s16(vcombine_s16(narrow, narrow));
    const uint32_t word = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
    __builtin_memcpy(outputs + r, &word, sizeof(word));
  }
  if (r == num_rows) return;
  RequantizePortable(RowsFrom(scaling, r), num_rows - r,
                     from + r * sizeof(int32_t), outputs + r);
}

struct Simd {
  using Vector = int32x4_t;
  static constexpr size_t kLanes = 4;
  // The other ones of 32 registers hold the weight and products.
  static constexpr size_t kMaxOutputs = 24;
  static constexpr size_t kSide = 4;
  static constexpr int32_t kInputOffset = 0;
  static constexpr bool kNeedsSmallPairs = false;
  static constexpr Requantize RequantizeRows = RequantizeNeon;

  static Vector Load(const float* from) {
    return vreinterpretq_s32_f32(vld1q_f32(from));
  }
  static void Store(float* to, Vector v) {
    vst1q_f32(to, vreinterpretq_f32_s32(v));
  }
  static Vector Broadcast(const float* value) {
    return vreinterpretq_s32_f32(vld1q_dup_f32(value));
  }
  static Vector MulAdd(Vector weights, Vector inputs, Vector sums) {
    return AddProducts(vreinterpretq_s8_s32(weights),
                       vreinterpretq_s8_s32(inputs), sums);
  }
  static float32x4_t LoadWords(const float* from) {
    // Pixels of int8 numbers lie anywhere.
    return vreinterpretq_f32_u8(
        vld1q_u8(reinterpret_cast<const uint8_t*>(from)));
  }
  // rows[i][j] becomes rows[j][i].
  static void Transpose(float32x4_t rows[4]) {
    const float32x4x2_t low = vtrnq_f32(rows[0], rows[1]);
    const float32x4x2_t high = vtrnq_f32(rows[2], rows[3]);
    for (int i = 0; i < 2; ++i) {
      rows[i] =
          vcombine_f32(vget_low_f32(low.val[i]), vget_low_f32(high.val[i]));
      rows[i + 2] =
          vcombine_f32(vget_high_f32(low.val[i]), vget_high_f32(high.val[i]));
    }
  }
  static Vector GatherOne(const float* const* pixels, size_t channel) {
    alignas(32) float lanes[kLanes];
    for (size_t l = 0; l < kLanes; ++l) {
      __builtin_memcpy(lanes + l, pixels[l] + channel, sizeof(float));
    }
    return Load(lanes);
  }
  static void Gather(const float* const* pixels, size_t channel, size_t stride,
                     float* panel, Vector*) {
    float32x4_t rows[4];
    for (size_t l = 0; l < 4; ++l) rows[l] = LoadWords(pixels[l] + channel);
    Transpose(rows);
    for (size_t c = 0; c < 4; ++c) vst1q_f32(panel + c * stride, rows[c]);
  }
  static size_t PackOutputs(const OutputScalingView&, size_t, size_t, float*) {
    return 0;
  }
  static void Scatter(const float* sums, size_t stride, size_t row,
                      float* const* pixels) {
    float32x4_t rows[4];
    for (size_t r = 0; r < 4; ++r) rows[r] = vld1q_f32(sums + r * stride);
    Transpose(rows);
    for (size_t l = 0; l < 4; ++l) {
      if (pixels[l] != nullptr) vst1q_f32(pixels[l] + row, rows[l]);
    }
  }
};

}  // namespace
}  // namespace keras_dc

#include "kernels/tile/int8_tile_impl.h"

#endif  // KERAS_DC_SRC_KERNELS_TILE_INT8_TILE_NEON_IMPL_H_
