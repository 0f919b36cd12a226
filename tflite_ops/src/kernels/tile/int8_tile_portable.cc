// The int8 tile kernel without intrinsics: the oracle of the other ones.
#include <cstddef>

#include "kernels/tile/int8_tile.h"

namespace keras_dc {
namespace {

struct Simd {
  static constexpr size_t kLanes = 8;
  static constexpr size_t kMaxOutputs = 2;
  static constexpr size_t kSide = 8;
  static constexpr int32_t kInputOffset = 0;
  static constexpr bool kNeedsSmallPairs = false;
  static constexpr Requantize RequantizeRows = RequantizePortable;

  struct Vector {
    // Words or 32-bit sums.
    uint32_t lanes[kLanes];
  };

  static Vector Load(const float* from) {
    Vector v;
    __builtin_memcpy(v.lanes, from, sizeof(v.lanes));
    return v;
  }
  static void Store(float* to, const Vector& v) {
    __builtin_memcpy(to, v.lanes, sizeof(v.lanes));
  }
  static Vector Broadcast(const float* value) {
    uint32_t word;
    __builtin_memcpy(&word, value, sizeof(word));
    Vector v;
    for (size_t l = 0; l < kLanes; ++l) v.lanes[l] = word;
    return v;
  }
  static int32_t ByteOf(uint32_t word, size_t i) {
    return static_cast<int8_t>(word >> 8 * i & 0xff);
  }
  static Vector MulAdd(const Vector& weights, const Vector& inputs,
                       Vector sums) {
    for (size_t l = 0; l < kLanes; ++l) {
      for (size_t i = 0; i < kWordChannels; ++i) {
        sums.lanes[l] += static_cast<uint32_t>(ByteOf(weights.lanes[l], i) *
                                               ByteOf(inputs.lanes[l], i));
      }
    }
    return sums;
  }
  static Vector GatherOne(const float* const* pixels, size_t channel) {
    Vector v;
    for (size_t l = 0; l < kLanes; ++l) {
      __builtin_memcpy(&v.lanes[l], pixels[l] + channel, sizeof(float));
    }
    return v;
  }
  static void Gather(const float* const* pixels, size_t channel, size_t stride,
                     float* panel, Vector*) {
    for (size_t c = 0; c < kSide; ++c) {
      Store(panel + c * stride, GatherOne(pixels, channel + c));
    }
  }
  static size_t PackOutputs(const OutputScalingView&, size_t, size_t, float*) {
    return 0;
  }
  static void Scatter(const float* sums, size_t stride, size_t row,
                      float* const* pixels) {
    for (size_t l = 0; l < kLanes; ++l) {
      if (pixels[l] == nullptr) continue;
      for (size_t r = 0; r < kSide; ++r) {
        __builtin_memcpy(pixels[l] + row + r, sums + r * stride + l,
                         sizeof(float));
      }
    }
  }
};

}  // namespace
}  // namespace keras_dc

#include "kernels/tile/int8_tile_impl.h"

namespace keras_dc {

Int8TileKernel PortableInt8TileKernel() { return MakeInt8TileKernel(); }

}  // namespace keras_dc
