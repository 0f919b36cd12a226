// Compiled for PCLMULQDQ, a product of polynomials.
#include <immintrin.h>

#include "common/crc32.h"

namespace keras_dc {
namespace {

// x^exponent modulo the CRC's polynomial over GF(2). Bits are in the order of
// IEEE 802.3: the highest one is the coefficient of x^0. In this order a
// product of two 64-bit words comes out one bit too low, hence the shift.
constexpr uint64_t PowerOfX(int exponent) {
  uint32_t power = 0x80000000;
  for (int i = 0; i < exponent; ++i) {
    power = (power >> 1) ^ ((power & 1) != 0 ? kCrc32Polynomial : 0);
  }
  return uint64_t{power} << 1;
}

constexpr size_t kBlock = 16;
constexpr size_t kLanes = 4;
// How far ahead to prefetch: this is the first pass over a blob, which is
// mostly not in a cache yet.
constexpr size_t kBytesAhead = 4096;

// `block` times x^kDistance, reduced to 16 bytes: what a block contributes at a
// place kDistance bits further on. The lower half of a block comes first, and
// so has the higher powers.
template <int kDistance>
inline __m128i Moved(__m128i block) {
  const __m128i powers =
      _mm_set_epi64x(static_cast<int64_t>(PowerOfX(kDistance - 32)),
                     static_cast<int64_t>(PowerOfX(kDistance + 32)));
  return _mm_xor_si128(_mm_clmulepi64_si128(block, powers, 0x00),
                       _mm_clmulepi64_si128(block, powers, 0x11));
}

inline __m128i LoadBlock(const uint8_t* bytes) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

}  // namespace

size_t FoldClmul(const uint8_t* bytes, size_t size, uint32_t state,
                 uint8_t* folded) {
  constexpr size_t kStep = kBlock * kLanes;
  if (size < kStep) return 0;
  __m128i lanes[kLanes];
  for (size_t i = 0; i < kLanes; ++i) lanes[i] = LoadBlock(bytes + kBlock * i);
  lanes[0] =
      _mm_xor_si128(lanes[0], _mm_cvtsi32_si128(static_cast<int>(state)));
  size_t done = kStep;
  for (; size - done >= kStep; done += kStep) {
    _mm_prefetch(reinterpret_cast<const char*>(bytes) + done + kBytesAhead,
                 _MM_HINT_T0);
    for (size_t i = 0; i < kLanes; ++i) {
      lanes[i] = _mm_xor_si128(Moved<8 * kStep>(lanes[i]),
                               LoadBlock(bytes + done + kBlock * i));
    }
  }
  __m128i sum = lanes[0];
  for (size_t i = 1; i < kLanes; ++i) {
    sum = _mm_xor_si128(Moved<8 * kBlock>(sum), lanes[i]);
  }
  for (; size - done >= kBlock; done += kBlock) {
    sum = _mm_xor_si128(Moved<8 * kBlock>(sum), LoadBlock(bytes + done));
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(folded), sum);
  return done;
}

}  // namespace keras_dc
