// From IEEE 754 binary16 to binary32, and back where nothing is lost
// (FORMAT.md, 4).
#ifndef KERAS_DC_SRC_COMMON_HALF_FLOAT_H_
#define KERAS_DC_SRC_COMMON_HALF_FLOAT_H_

#include <cstdint>

namespace keras_dc {

// The bit pattern of the float32 equal to `half`; NaN payloads are kept.
inline uint32_t HalfToFloatBits(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  uint32_t exponent = (half >> 10) & 0x1f;
  uint32_t mantissa = half & 0x3ff;
  if (exponent == 0x1f) return sign | 0x7f800000 | mantissa << 13;
  if (exponent == 0) {
    if (mantissa == 0) return sign;
    // Subnormal: shift until the leading one is implicit.
    exponent = 1;
    while ((mantissa & 0x400) == 0) {
      mantissa <<= 1;
      --exponent;
    }
    mantissa &= 0x3ff;
  }
  // The biases differ by 112. The exponent may have wrapped below zero;
  // unsigned arithmetic brings it back.
  return sign | (exponent + 112) << 23 | mantissa << 13;
}

// Writes to `*half` the binary16 that HalfToFloatBits maps to `bits`. False if
// there is none.
inline bool FloatBitsToHalf(uint32_t bits, uint16_t* half) {
  const uint32_t sign = (bits >> 16) & 0x8000;
  const int exponent = static_cast<int>((bits >> 23) & 0xff) - 112;
  const uint32_t mantissa = bits & 0x7fffff;
  uint32_t magnitude;
  if (exponent == 0xff - 112) {
    magnitude = 0x7c00 | mantissa >> 13;
  } else if (exponent >= 1 && exponent <= 30) {
    magnitude = static_cast<uint32_t>(exponent) << 10 | mantissa >> 13;
  } else if (exponent <= 0 && exponent >= -9) {
    magnitude = (0x800000 | mantissa) >> (14 - exponent);
  } else {
    magnitude = 0;
  }
  *half = static_cast<uint16_t>(sign | magnitude);
  return HalfToFloatBits(*half) == bits;
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_HALF_FLOAT_H_
