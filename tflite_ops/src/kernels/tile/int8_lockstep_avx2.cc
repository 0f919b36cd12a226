// Compiled for AVX2: must not instantiate templates that other files use.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace {

struct LockstepSimd {
  using Vector = __m256i;
  static constexpr size_t kLanes = 8;
  // Four tables of 16 bytes, or two registers of words.
  static constexpr size_t kWindow = 64;
  static constexpr int32_t kInputOffset = 128;

  static Vector Zero() { return _mm256_setzero_si256(); }
  static Vector Add(Vector a, Vector b) { return _mm256_add_epi32(a, b); }
  static void Store(uint32_t* to, Vector v) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), v);
  }
  static __m256i Load(const uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  // Adds the four products of each lane. In 16 bits two products may overflow
  // (vpmaddubsw), so that bytes are made wider first: those at even places,
  // then the others.
  static Vector AddProducts(__m256i inputs, __m256i weights, Vector sums) {
    const __m256i even =
        _mm256_madd_epi16(_mm256_and_si256(inputs, _mm256_set1_epi16(0xff)),
                          _mm256_srai_epi16(_mm256_slli_epi16(weights, 8), 8));
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(inputs, 8),
                                          _mm256_srai_epi16(weights, 8));
    return _mm256_add_epi32(sums, _mm256_add_epi32(even, odd));
  }
  static Vector AddStep(const uint8_t* columns, const uint8_t* weights,
                        const uint8_t* window, Vector sums) {
    const __m256i places = Load(columns);
    // A table is looked up by bits 0 to 3; bits 4 and 5 tell which of them.
    const auto look_up = [&](size_t table) {
      const __m128i bytes = _mm_loadu_si128(
          reinterpret_cast<const __m128i*>(window + 16 * table));
      return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), places);
    };
    const __m256i is_odd = _mm256_slli_epi16(places, 3);
    const __m256i is_high = _mm256_slli_epi16(places, 2);
    const __m256i inputs = _mm256_blendv_epi8(
        _mm256_blendv_epi8(look_up(0), look_up(1), is_odd),
        _mm256_blendv_epi8(look_up(2), look_up(3), is_odd), is_high);
    return AddProducts(inputs, Load(weights), sums);
  }
  static Vector AddWords(const uint8_t* columns, const uint8_t* weights,
                         const uint8_t* window, Vector sums) {
    const __m256i words = _mm256_cvtepu8_epi32(
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(columns)));
    // Bit 3 tells which register.
    const __m256 inputs = _mm256_blendv_ps(
        _mm256_castsi256_ps(_mm256_permutevar8x32_epi32(Load(window), words)),
        _mm256_castsi256_ps(
            _mm256_permutevar8x32_epi32(Load(window + kWindow / 2), words)),
        _mm256_castsi256_ps(_mm256_slli_epi32(words, 28)));
    return AddProducts(_mm256_castps_si256(inputs), Load(weights), sums);
  }
};

}  // namespace

#include "kernels/tile/int8_lockstep_impl.h"

namespace keras_dc {

Int8LockstepKernel Avx2Int8LockstepKernel() { return MakeInt8LockstepKernel(); }

}  // namespace keras_dc
