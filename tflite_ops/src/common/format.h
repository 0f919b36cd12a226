// Constants of the blob. FORMAT.md owns the bytes; its sections are cited here.
#ifndef KERAS_DC_SRC_COMMON_FORMAT_H_
#define KERAS_DC_SRC_COMMON_FORMAT_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "keras_dc/codec.h"

namespace keras_dc {

// FORMAT.md, 3: magic and version.
inline constexpr uint8_t kMagic[3] = {'K', 'D', 'C'};
inline constexpr uint8_t kVersion = 1;
inline constexpr size_t kMagicBytes = 4;
inline constexpr size_t kChecksumBytes = 4;

// FORMAT.md, 3: the layout byte.
inline constexpr uint8_t kDtypeMask = 0x07;
inline constexpr uint8_t kColumnMajorBit = 0x08;
inline constexpr int kGapBitsShift = 4;

// FORMAT.md, 3: the coding byte.
inline constexpr uint8_t kCodebookBit = 0x01;
inline constexpr uint8_t kHalfFloatBit = 0x02;
inline constexpr int kStreamsShift = 2;
inline constexpr uint8_t kStreamsMask = 0x0c;
inline constexpr int kScaleAxisShift = 4;
inline constexpr uint8_t kScaleAxisMask = 0x30;
inline constexpr uint8_t kWideBit = 0x40;
inline constexpr uint8_t kArithmeticBit = 0x80;

// FORMAT.md, 3: the rank byte.
inline constexpr uint8_t kRankMask = 0x0f;
inline constexpr uint8_t kValuePlanesBit = 0x10;
inline constexpr uint8_t kScalePlanesBit = 0x20;
inline constexpr uint8_t kLineClassesBit = 0x40;
inline constexpr uint8_t kZeroPointBit = 0x80;

// FORMAT.md, 3: the model byte of the arithmetic coder.
inline constexpr uint8_t kMaskModelBit = 0x01;
inline constexpr int kCodedPlanesShift = 4;

// FORMAT.md, 4: symbols of a byte plane.
inline constexpr size_t kPlaneAlphabet = 256;

inline constexpr int kMaxGapBits = 8;
inline constexpr int kMaxCentroids = 256;
inline constexpr int kMaxStreams = 8;
// Positions fit 32 bits. So do the dimensions of a TFLite tensor.
inline constexpr uint64_t kMaxWeights = 0x7fffffff;

// FORMAT.md, 5: the longest code in bits. A table of 4096 entries decodes any
// code with one look-up.
inline constexpr int kMaxCodeLength = 12;

// Bytes of an element of `dtype`, or 0 if there is no such dtype.
constexpr size_t ItemSize(int dtype) {
  switch (dtype) {
    case KDC_FLOAT32:
      return 4;
    case KDC_FLOAT16:
    case KDC_BFLOAT16:
      return 2;
    case KDC_INT8:
    case KDC_INT4:
      return 1;
    default:
      return 0;
  }
}

// FORMAT.md, 4: the filler symbol, which is also the number of its zeros.
constexpr uint32_t FillerSymbol(int gap_bits) { return (1u << gap_bits) - 1; }

// FORMAT.md, 2: a tensor as a matrix.
struct MatrixShape {
  uint64_t rows = 0;
  uint64_t columns = 0;
};

inline MatrixShape AsMatrix(const int64_t* shape, int rank,
                            uint64_t num_weights) {
  if (num_weights == 0) return {0, 0};
  if (rank < 2) return {1, num_weights};
  const auto rows = static_cast<uint64_t>(shape[0]);
  return {rows, num_weights / rows};
}

// FORMAT.md, 4: the number of channels, each of which has a scale; 0 without
// scales.
inline uint64_t NumChannels(const int64_t* shape, int rank, int scale_axis) {
  if (scale_axis == KDC_NO_SCALE || rank < 2) return 0;
  return static_cast<uint64_t>(
      shape[scale_axis == KDC_FIRST_AXIS ? 0 : rank - 1]);
}

// FORMAT.md, 4: the bits of a weight of a scaled tensor.
inline uint32_t ScaledPattern(double centroid, double scale, int dtype) {
  const double product = centroid * scale;
  if (dtype == KDC_INT8) {
    const double bounded = product < -128  ? -128
                           : product > 127 ? 127
                                           : product;
    // A NaN is unequal to itself, and becomes 0.
    const double rounded = bounded == bounded ? std::nearbyint(bounded) : 0;
    return static_cast<uint8_t>(static_cast<int8_t>(rounded));
  }
  const auto value = static_cast<float>(product);
  uint32_t pattern;
  std::memcpy(&pattern, &value, sizeof(pattern));
  return pattern;
}

// FORMAT.md, 4: an order of the bits of numbers of `size` bytes in which floats
// ascend by value if `is_float`, and integers if not; and the way back.
inline uint64_t OrderOfBits(uint64_t bits, size_t size, bool is_float) {
  const uint64_t sign = uint64_t{1} << (8 * size - 1);
  const uint64_t all = sign | (sign - 1);
  return is_float && (bits & sign) != 0 ? ~bits & all : bits ^ sign;
}
inline uint64_t BitsOfOrder(uint64_t order, size_t size, bool is_float) {
  const uint64_t sign = uint64_t{1} << (8 * size - 1);
  const uint64_t all = sign | (sign - 1);
  return is_float && (order & sign) == 0 ? ~order & all : order ^ sign;
}

// FORMAT.md, 6: symbols [begin, end) of `count` belong to stream `stream`.
struct SymbolRange {
  size_t begin = 0;
  size_t end = 0;
};

inline SymbolRange StreamRange(size_t count, int num_streams, int stream) {
  const auto streams = static_cast<size_t>(num_streams);
  const size_t share = (count + streams - 1) / streams;
  const size_t begin = share * static_cast<size_t>(stream);
  if (begin >= count) return {count, count};
  return {begin, count - begin < share ? count : begin + share};
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_FORMAT_H_
