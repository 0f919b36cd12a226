// Compiled for AVX-512.
#include "kernels/tile/transpose_avx.h"

namespace keras_dc {
namespace {

struct Simd {
  using Vector = __m512;
  static constexpr size_t kLanes = 16;
  // The other ones of 32 registers hold weights.
  static constexpr size_t kMaxOutputs = 28;
  static constexpr size_t kSide = 8;

  static Vector Load(const float* from) { return _mm512_load_ps(from); }
  static Vector LoadUnaligned(const float* from) {
    return _mm512_loadu_ps(from);
  }
  static void Store(float* to, Vector v) { _mm512_store_ps(to, v); }
  static void StoreUnaligned(float* to, Vector v) { _mm512_storeu_ps(to, v); }
  static Vector Add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  // For two zeros the instruction returns its second operand.
  static Vector Max(Vector a, Vector b) { return _mm512_max_ps(b, a); }
  static Vector Broadcast(const float* value) { return _mm512_set1_ps(*value); }
  static Vector MulAdd(Vector a, Vector b, Vector c) {
    return _mm512_fmadd_ps(a, b, c);
  }
  static Vector GatherOne(const float* const* pixels, size_t channel) {
    const auto gather8 = [channel](const float* const* from) {
      const __m512i at = _mm512_add_epi64(
          _mm512_loadu_si512(from),
          _mm512_set1_epi64(static_cast<int64_t>(channel * sizeof(float))));
      return _mm512_i64gather_ps(at, nullptr, 1);
    };
    return _mm512_insertf32x8(_mm512_castps256_ps512(gather8(pixels)),
                              gather8(pixels + 8), 1);
  }
  static void Gather(const float* const* pixels, size_t channel, size_t stride,
                     float* panel, Vector zeros[2]) {
    Gather8x16(pixels, channel, stride, panel, zeros);
  }
  static void Scatter(const OutputRange& range, const float* sums,
                      size_t stride, size_t row, float* const* pixels) {
    Scatter8x16(range, sums, stride, row, pixels);
  }
};

}  // namespace
}  // namespace keras_dc

#include "kernels/tile/tile_impl.h"

namespace keras_dc {

TileKernel Avx512TileKernel() { return MakeTileKernel(); }

}  // namespace keras_dc
