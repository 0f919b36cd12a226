// Compiled for AVX-512 with VNNI and VBMI: must not instantiate templates that
// other files use.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace {

struct LockstepSimd {
  using Vector = __m512i;
  static constexpr size_t kLanes = 16;
  // Two registers of bytes, or of words.
  static constexpr size_t kWindow = 128;
  static constexpr int32_t kInputOffset = 128;

  static Vector Zero() { return _mm512_setzero_si512(); }
  static Vector Add(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
  static void Store(uint32_t* to, Vector v) { _mm512_store_si512(to, v); }
  static Vector AddStep(const uint8_t* columns, const uint8_t* weights,
                        const uint8_t* window, Vector sums) {
    const __m512i inputs = _mm512_permutex2var_epi8(
        _mm512_loadu_si512(window), _mm512_load_si512(columns),
        _mm512_loadu_si512(window + kWindow / 2));
    return _mm512_dpbusd_epi32(sums, inputs, _mm512_load_si512(weights));
  }
  static Vector AddWords(const uint8_t* columns, const uint8_t* weights,
                         const uint8_t* window, Vector sums) {
    const __m512i words = _mm512_cvtepu8_epi32(
        _mm_load_si128(reinterpret_cast<const __m128i*>(columns)));
    const __m512i inputs =
        _mm512_permutex2var_epi32(_mm512_loadu_si512(window), words,
                                  _mm512_loadu_si512(window + kWindow / 2));
    return _mm512_dpbusd_epi32(sums, inputs, _mm512_load_si512(weights));
  }
};

}  // namespace

#include "kernels/tile/int8_lockstep_impl.h"

namespace keras_dc {

Int8LockstepKernel VnniInt8LockstepKernel() { return MakeInt8LockstepKernel(); }

}  // namespace keras_dc
