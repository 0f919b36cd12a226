// The loops of pool_line.h over the SIMD type of tile_impl.h.
#ifndef KERAS_DC_SRC_KERNELS_TILE_POOL_LINE_IMPL_H_
#define KERAS_DC_SRC_KERNELS_TILE_POOL_LINE_IMPL_H_

#include "kernels/tile/pool_line.h"

namespace keras_dc {
namespace {

// A vector of one number, for fewer channels than lanes.
struct ScalarSimd {
  using Vector = float;
  static Vector LoadUnaligned(const float* from) { return *from; }
  static void StoreUnaligned(float* to, Vector v) { *to = v; }
  static Vector Add(Vector a, Vector b) { return a + b; }
  static Vector Max(Vector a, Vector b) { return a < b ? b : a; }
};

// The maximum or the sum of a vector of channels over all pixels of a window.
template <typename Unit, bool kIsMax>
void PoolWindow(const float* first, size_t num_rows, size_t num_columns,
                size_t channels, size_t row_step, float* output) {
  typename Unit::Vector joined = Unit::LoadUnaligned(first);
  size_t x = 1;
  for (size_t y = 0; y < num_rows; ++y, x = 0) {
    const float* row = first + y * row_step;
    for (; x < num_columns; ++x) {
      const typename Unit::Vector pixel =
          Unit::LoadUnaligned(row + x * channels);
      joined = kIsMax ? Unit::Max(joined, pixel) : Unit::Add(joined, pixel);
    }
  }
  Unit::StoreUnaligned(output, joined);
}

template <bool kIsMax>
void PoolChannels(const PoolLine& line, const float* first, size_t num_columns,
                  float* output) {
  const size_t channels = line.channels;
  const size_t row_step = static_cast<size_t>(line.input_width) * channels;
  const auto run = [&](auto unit, size_t c) {
    PoolWindow<decltype(unit), kIsMax>(first + c, line.num_rows, num_columns,
                                       channels, row_step, output + c);
  };
  if (channels < Simd::kLanes) {
    for (size_t c = 0; c < channels; ++c) run(ScalarSimd(), c);
    return;
  }
  for (size_t c = 0; c + Simd::kLanes <= channels; c += Simd::kLanes) {
    run(Simd(), c);
  }
  // The last channels; some are computed a second time.
  if (channels % Simd::kLanes != 0) run(Simd(), channels - Simd::kLanes);
}

void RunPoolLine(const PoolLine& line) {
  const size_t channels = line.channels;
  float* output = line.output;
  for (int64_t x = 0; x < line.output_width; ++x, output += channels) {
    int64_t begin = x * line.stride - line.padding;
    int64_t end = begin + line.kernel_width;
    begin = begin < 0 ? 0 : begin;
    end = end > line.input_width ? line.input_width : end;
    const float* first = line.input + static_cast<size_t>(begin) * channels;
    const auto num_columns = static_cast<size_t>(end - begin);
    if (line.is_max) {
      PoolChannels<true>(line, first, num_columns, output);
    } else {
      PoolChannels<false>(line, first, num_columns, output);
      const auto count = static_cast<float>(line.num_rows * num_columns);
      for (size_t c = 0; c < channels; ++c) output[c] /= count;
    }
  }
  const size_t size = static_cast<size_t>(line.output_width) * channels;
  const float lowest = line.lowest, highest = line.highest;
  if (lowest == -__builtin_inff() && highest == __builtin_inff()) return;
  for (size_t i = 0; i < size; ++i) {
    const float value = line.output[i];
    line.output[i] = value < lowest    ? lowest
                     : value > highest ? highest
                                       : value;
  }
}

}  // namespace
}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_POOL_LINE_IMPL_H_
