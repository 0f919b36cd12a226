// Random int8 layers and their oracle, for the tests of int8 kernels and ops.
#ifndef KERAS_DC_TESTS_CPP_KERNELS_INT8_WEIGHTS_H_
#define KERAS_DC_TESTS_CPP_KERNELS_INT8_WEIGHTS_H_

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "common/sparse_rows.h"
#include "kernels/pixel_grid.h"
#include "kernels/requantize.h"

namespace keras_dc {

// Random int8 weights, sparse and dense.
struct Int8Weights {
  // Columns are kept or pruned in blocks of `block`. Row 1 is empty.
  Int8Weights(int64_t rows, int64_t columns, double density, int64_t block,
              bool has_codebook, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> uniform;
    sparse.dtype = KDC_INT8;
    sparse.num_rows = rows;
    sparse.num_columns = columns;
    sparse.row_begin.push_back(0);
    if (has_codebook) {
      for (int i = 0; i < 7; ++i) {
        sparse.codebook.push_back(static_cast<uint8_t>(1 + random() % 255));
      }
    }
    dense.resize(static_cast<size_t>(rows * columns));
    for (int64_t row = 0; row < rows; ++row) {
      bool is_kept = false;
      for (int64_t column = 0; column < columns; ++column) {
        if (column % block == 0) is_kept = uniform(random) < density;
        if (!is_kept || row == 1) continue;
        uint8_t value = static_cast<uint8_t>(random() % 256);
        if (has_codebook) {
          const size_t index = random() % sparse.codebook.size();
          sparse.indices.push_back(static_cast<uint8_t>(index));
          value = sparse.codebook[index];
        } else {
          // Many extreme ones.
          if (random() % 3 == 0) value = random() % 2 == 0 ? 0x7f : 0x80;
          sparse.values.push_back(value);
        }
        dense[static_cast<size_t>(row * columns + column)] =
            static_cast<int8_t>(value);
        sparse.columns.push_back(static_cast<uint32_t>(column));
      }
      sparse.row_begin.push_back(static_cast<uint32_t>(sparse.columns.size()));
    }
  }

  SparseRows sparse;
  std::vector<int8_t> dense;
};

inline std::vector<int8_t> RandomInt8(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<int8_t> values(size);
  for (int8_t& value : values) {
    value = static_cast<int8_t>(random() % 256 - 128);
  }
  return values;
}

// The sums of a convolution of NHWC inputs with weights of (filters, taps *
// channels), by definition.
inline std::vector<int32_t> Int8Sums(const ConvShape& shape, int64_t channels,
                                     int64_t filters,
                                     const std::vector<int8_t>& weights,
                                     const std::vector<int8_t>& input,
                                     int32_t zero_point,
                                     const std::vector<int32_t>& bias) {
  const ConvAxis &h = shape.height, &w = shape.width;
  const int64_t columns = h.kernel * w.kernel * channels;
  std::vector<int32_t> sums;
  for (int64_t b = 0; b < static_cast<int64_t>(shape.batch); ++b)
    for (int64_t y = 0; y < h.output; ++y)
      for (int64_t x = 0; x < w.output; ++x)
        for (int64_t f = 0; f < filters; ++f) {
          uint32_t sum =
              bias.empty()
                  ? 0
                  : static_cast<uint32_t>(bias[static_cast<size_t>(f)]);
          for (int64_t c = 0; c < columns; ++c) {
            const int64_t tap = c / channels;
            const int64_t in_y =
                y * h.stride - h.padding + tap / w.kernel * h.dilation;
            const int64_t in_x =
                x * w.stride - w.padding + tap % w.kernel * w.dilation;
            if (in_y < 0 || in_y >= h.input || in_x < 0 || in_x >= w.input) {
              continue;
            }
            const int64_t at =
                ((b * h.input + in_y) * w.input + in_x) * channels +
                c % channels;
            sum += static_cast<uint32_t>(
                weights[static_cast<size_t>(f * columns + c)] *
                (input[static_cast<size_t>(at)] - zero_point));
          }
          sums.push_back(static_cast<int32_t>(sum));
        }
  return sums;
}

// TFLite's two roundings, written by their definition: in numbers so large that
// nothing is lost.
inline int32_t ScaledByDefinition(int32_t sum, int32_t multiplier, int shift) {
  const auto left =
      static_cast<int32_t>(static_cast<uint32_t>(sum) << std::max(shift, 0));
  const __int128 doubled = __int128{left} * multiplier * 2;
  constexpr __int128 kTwo32 = __int128{1} << 32;
  // Nearest, halves upwards: floor(doubled / 2^32 + 1/2).
  __int128 high = (doubled + kTwo32 / 2) / kTwo32;
  if ((doubled + kTwo32 / 2) % kTwo32 < 0) --high;
  // Nearest, halves away from zero.
  const __int128 divisor = __int128{1} << std::max(-shift, 0);
  const __int128 magnitude =
      ((high < 0 ? -high : high) * 2 + divisor) / (divisor * 2);
  return static_cast<int32_t>(high < 0 ? -magnitude : magnitude);
}

// TFLite's single rounding: nearest, halves upwards.
inline int32_t ScaledOnceByDefinition(int32_t sum, int32_t multiplier,
                                      int shift) {
  const __int128 divisor = __int128{1} << (31 - shift);
  const __int128 doubled = __int128{sum} * multiplier * 2 + divisor;
  __int128 result = doubled / (divisor * 2);
  if (doubled % (divisor * 2) < 0) --result;
  return static_cast<int32_t>(result);
}

inline int8_t OutputByDefinition(const OutputScaling& scaling, size_t row,
                                 int32_t sum) {
  const int shift = scaling.left_shifts[row] - scaling.right_shifts[row];
  const int64_t scaled = int64_t{(scaling.rounds_once ? ScaledOnceByDefinition
                                                      : ScaledByDefinition)(
                             sum, scaling.multipliers[row], shift)} +
                         scaling.zero_point;
  return static_cast<int8_t>(std::min<int64_t>(
      std::max<int64_t>(scaled, scaling.lowest), scaling.highest));
}

// Scales that bring sums of `num_products` products to int8 numbers, and some
// that do not.
inline OutputScaling RandomScaling(size_t num_rows, double num_products,
                                   unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0.2, 3.0);
  OutputScaling scaling;
  for (size_t row = 0; row < num_rows; ++row) {
    double scale = uniform(random) / (1.0 + num_products * 60.0);
    if (random() % 8 == 0) scale *= 1e6;
    if (random() % 8 == 0) scale *= 1e-9;
    if (random() % 16 == 0) scale = 0.0;
    QuantizedScale quantized;
    if (!QuantizeScale(scale, &quantized)) continue;
    scaling.Add(quantized);
  }
  scaling.rounds_once = seed % 2 == 1;
  scaling.zero_point = static_cast<int32_t>(random() % 256) - 128;
  if (random() % 2 == 0) {
    scaling.lowest = std::max(scaling.zero_point, -100);
    scaling.highest = 120;
  }
  return scaling;
}

}  // namespace keras_dc

#endif  // KERAS_DC_TESTS_CPP_KERNELS_INT8_WEIGHTS_H_
