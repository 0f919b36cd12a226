// The loops of int8_tile.h over a SIMD type. The file of each instruction set
// defines its `Simd` and includes this; see tile_sums_impl.h, whose floats are
// words here.
//
// Beside what that lists, Simd has kInputOffset, kNeedsSmallPairs,
// RequantizeRows (a Requantize), and
//   Scatter(sums, stride, row, pixels)
//     pixels[l][row + r] = sums[r * stride + l], except where pixels[l] is null
//   PackOutputs(scaling, num_rows, stride, sums)
//     makes outputs of the sums of the first rows, as many as it can: those of
//     rows 4 * w to 4 * w + 3 become a word each, which takes the place of the
//     sums of row w. Returns the number of words
// Gather adds nothing to `zeros`.
#ifndef KERAS_DC_SRC_KERNELS_TILE_INT8_TILE_IMPL_H_
#define KERAS_DC_SRC_KERNELS_TILE_INT8_TILE_IMPL_H_

#include "kernels/tile/int8_tile.h"
#include "kernels/tile/tile_sums_impl.h"

namespace keras_dc {
namespace {

// pixels[lane][row] = sums[row][lane], for the lanes of one vector.
void ScatterSums(const float* sums, size_t stride, size_t num_rows,
                 float* const* pixels) {
  size_t row = 0;
  for (; row + kSide <= num_rows; row += kSide) {
    Simd::Scatter(sums + row * stride, stride, row, pixels);
  }
  if (row < num_rows && num_rows >= kSide) {
    // Some rows are written a second time.
    row = num_rows - kSide;
    return Simd::Scatter(sums + row * stride, stride, row, pixels);
  }
  for (; row < num_rows; ++row) {
    for (size_t l = 0; l < kLanes; ++l) {
      if (pixels[l] == nullptr) continue;
      __builtin_memcpy(pixels[l] + row, sums + row * stride + l, sizeof(float));
    }
  }
}

void RunInt8Tile(const Int8TileJob& job) {
  const TileJob& words = job.words;
  const float zero = 0.0f;
  typename Simd::Vector zeros[] = {Simd::Broadcast(&zero),
                                   Simd::Broadcast(&zero)};
  Dispatch<Simd::kMaxOutputs>(words, zeros);
  const size_t num_rows = words.weights->num_rows;
  const size_t stride = words.num_outputs * kLanes;
  if (job.scaling == nullptr) {
    for (size_t i = 0; i < stride; i += kLanes) {
      ScatterSums(words.sums + i, stride, num_rows, words.outputs + i);
    }
    return;
  }
  const size_t num_words =
      Simd::PackOutputs(*job.scaling, num_rows, stride, words.sums);
  const size_t first = num_words * kWordChannels;
  const OutputScalingView rest = RowsFrom(*job.scaling, first);
  float* lines[kLanes];
  for (size_t l = 0; l < kLanes; ++l) lines[l] = job.lines + l * num_rows;
  for (size_t i = 0; i < stride; i += kLanes) {
    float* pixels[kLanes];
    for (size_t l = 0; l < kLanes; ++l) {
      pixels[l] = reinterpret_cast<float*>(job.outputs[i + l]);
    }
    ScatterSums(words.sums + i, stride, num_words, pixels);
    if (first == num_rows) continue;
    ScatterSums(words.sums + first * stride + i, stride, num_rows - first,
                lines);
    for (size_t l = 0; l < kLanes; ++l) {
      if (job.outputs[i + l] == nullptr) continue;
      Simd::RequantizeRows(rest, num_rows - first, lines[l],
                           job.outputs[i + l] + first);
    }
  }
}

Int8TileKernel MakeInt8TileKernel() {
  return {kLanes,
          Simd::kMaxOutputs,
          Simd::kInputOffset,
          Simd::kNeedsSmallPairs,
          RunInt8Tile,
          Simd::RequantizeRows};
}

}  // namespace
}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_INT8_TILE_IMPL_H_
