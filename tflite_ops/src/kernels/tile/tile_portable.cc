// The tile kernel without intrinsics: the oracle of the other ones.
#include <cstddef>

#include "kernels/tile/tile.h"

namespace keras_dc {
namespace {

struct Simd {
  static constexpr size_t kLanes = 8;
  static constexpr size_t kMaxOutputs = 2;
  static constexpr size_t kSide = 8;

  struct Vector {
    float lanes[kLanes];
  };

  static Vector Load(const float* from) {
    Vector v;
    for (size_t l = 0; l < kLanes; ++l) v.lanes[l] = from[l];
    return v;
  }
  static Vector LoadUnaligned(const float* from) { return Load(from); }
  static void Store(float* to, const Vector& v) {
    for (size_t l = 0; l < kLanes; ++l) to[l] = v.lanes[l];
  }
  static void StoreUnaligned(float* to, const Vector& v) { Store(to, v); }
  static Vector Add(Vector a, const Vector& b) {
    for (size_t l = 0; l < kLanes; ++l) a.lanes[l] += b.lanes[l];
    return a;
  }
  static Vector Max(Vector a, const Vector& b) {
    for (size_t l = 0; l < kLanes; ++l) {
      a.lanes[l] = a.lanes[l] < b.lanes[l] ? b.lanes[l] : a.lanes[l];
    }
    return a;
  }
  static Vector Broadcast(const float* value) {
    Vector v;
    for (size_t l = 0; l < kLanes; ++l) v.lanes[l] = *value;
    return v;
  }
  static Vector MulAdd(const Vector& a, const Vector& b, Vector c) {
    for (size_t l = 0; l < kLanes; ++l) c.lanes[l] += a.lanes[l] * b.lanes[l];
    return c;
  }
  static Vector GatherOne(const float* const* pixels, size_t channel) {
    alignas(32) float lanes[kLanes];
    for (size_t l = 0; l < kLanes; ++l) lanes[l] = pixels[l][channel];
    return Load(lanes);
  }
  static void Gather(const float* const* pixels, size_t channel, size_t stride,
                     float* panel, Vector* zeros) {
    for (size_t c = 0; c < kSide; ++c) {
      for (size_t l = 0; l < kSide; ++l) {
        panel[c * stride + l] = pixels[l][channel + c];
        zeros->lanes[l] += panel[c * stride + l] * 0.0f;
      }
    }
  }
  static void Scatter(const OutputRange& range, const float* sums,
                      size_t stride, size_t row, float* const* pixels) {
    for (size_t l = 0; l < kSide; ++l) {
      if (pixels[l] == nullptr) continue;
      for (size_t r = 0; r < kSide; ++r) {
        const float sum = sums[r * stride + l];
        pixels[l][row + r] = sum < range.lowest    ? range.lowest
                             : sum > range.highest ? range.highest
                                                   : sum;
      }
    }
  }
};

}  // namespace
}  // namespace keras_dc

#include "kernels/tile/tile_impl.h"

namespace keras_dc {

TileKernel PortableTileKernel() { return MakeTileKernel(); }

}  // namespace keras_dc
