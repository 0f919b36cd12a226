// Compiled for AVX2 and FMA.
#include "kernels/tile/transpose_avx.h"

namespace keras_dc {
namespace {

struct Simd {
  using Vector = __m256;
  static constexpr size_t kLanes = 8;
  // The other ones of 16 registers hold weights.
  static constexpr size_t kMaxOutputs = 13;
  static constexpr size_t kSide = 8;

  static Vector Load(const float* from) { return _mm256_load_ps(from); }
  static Vector LoadUnaligned(const float* from) {
    return _mm256_loadu_ps(from);
  }
  static void Store(float* to, Vector v) { _mm256_store_ps(to, v); }
  static void StoreUnaligned(float* to, Vector v) { _mm256_storeu_ps(to, v); }
  static Vector Add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  // For two zeros the instruction returns its second operand.
  static Vector Max(Vector a, Vector b) { return _mm256_max_ps(b, a); }
  static Vector Broadcast(const float* value) { return _mm256_set1_ps(*value); }
  static Vector MulAdd(Vector a, Vector b, Vector c) {
    return _mm256_fmadd_ps(a, b, c);
  }
  static Vector GatherOne(const float* const* pixels, size_t channel) {
    alignas(32) float lanes[kLanes];
    for (size_t l = 0; l < kLanes; ++l) lanes[l] = pixels[l][channel];
    return Load(lanes);
  }
  static void Gather(const float* const* pixels, size_t channel, size_t stride,
                     float* panel, Vector zeros[2]) {
    Gather8(pixels, channel, stride, panel, zeros);
  }
  static void Scatter(const OutputRange& range, const float* sums,
                      size_t stride, size_t row, float* const* pixels) {
    Scatter8(range, sums, stride, row, pixels);
  }
};

}  // namespace
}  // namespace keras_dc

#include "kernels/tile/tile_impl.h"

namespace keras_dc {

TileKernel Avx2TileKernel() { return MakeTileKernel(); }

}  // namespace keras_dc
