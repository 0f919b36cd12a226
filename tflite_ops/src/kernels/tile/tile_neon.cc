// Compiled for NEON (AArch64).
#include <arm_neon.h>

#include <cstddef>

#include "kernels/tile/tile.h"

namespace keras_dc {
namespace {

struct Simd {
  using Vector = float32x4_t;
  static constexpr size_t kLanes = 4;
  // The other ones of 32 registers hold the weight and inputs.
  static constexpr size_t kMaxOutputs = 24;
  static constexpr size_t kSide = 4;

  static Vector Load(const float* from) { return vld1q_f32(from); }
  static Vector LoadUnaligned(const float* from) { return vld1q_f32(from); }
  static void Store(float* to, Vector v) { vst1q_f32(to, v); }
  static void StoreUnaligned(float* to, Vector v) { vst1q_f32(to, v); }
  static Vector Add(Vector a, Vector b) { return vaddq_f32(a, b); }
  static Vector Max(Vector a, Vector b) { return vmaxq_f32(a, b); }
  static Vector Broadcast(const float* value) { return vld1q_dup_f32(value); }
  static Vector MulAdd(Vector a, Vector b, Vector c) {
    return vfmaq_f32(c, a, b);
  }
  // rows[i][j] becomes rows[j][i].
  static void Transpose(Vector rows[4]) {
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
    for (size_t l = 0; l < kLanes; ++l) lanes[l] = pixels[l][channel];
    return Load(lanes);
  }
  static void Gather(const float* const* pixels, size_t channel, size_t stride,
                     float* panel, Vector zeros[2]) {
    Vector rows[4];
    for (size_t l = 0; l < 4; ++l) {
      rows[l] = vld1q_f32(pixels[l] + channel);
      zeros[l % 2] = vfmaq_f32(zeros[l % 2], rows[l], vdupq_n_f32(0.0f));
    }
    Transpose(rows);
    for (size_t c = 0; c < 4; ++c) vst1q_f32(panel + c * stride, rows[c]);
  }
  static void Scatter(const OutputRange& range, const float* sums,
                      size_t stride, size_t row, float* const* pixels) {
    const Vector lowest = vdupq_n_f32(range.lowest);
    const Vector highest = vdupq_n_f32(range.highest);
    Vector rows[4];
    for (size_t r = 0; r < 4; ++r) {
      // Both instructions keep NaNs.
      rows[r] =
          vminq_f32(vmaxq_f32(vld1q_f32(sums + r * stride), lowest), highest);
    }
    Transpose(rows);
    for (size_t l = 0; l < 4; ++l) {
      if (pixels[l] != nullptr) vst1q_f32(pixels[l] + row, rows[l]);
    }
  }
};

}  // namespace
}  // namespace keras_dc

#include "kernels/tile/tile_impl.h"

namespace keras_dc {

TileKernel NeonTileKernel() { return MakeTileKernel(); }

}  // namespace keras_dc
