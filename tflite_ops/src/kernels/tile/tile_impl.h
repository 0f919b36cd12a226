// The loops of tile.h over a SIMD type. The file of each instruction set
// defines its `Simd` and includes this; see tile_sums_impl.h.
//
// Beside what that lists, Simd has LoadUnaligned, StoreUnaligned, Add,
// Max(a, b) = a < b ? b : a (NaNs as they come), and
//   Scatter(range, sums, stride, row, pixels)
//     pixels[l][row + r] = clamp(sums[r * stride + l]), except where pixels[l]
//     is null. NaNs stay NaNs
#ifndef KERAS_DC_SRC_KERNELS_TILE_TILE_IMPL_H_
#define KERAS_DC_SRC_KERNELS_TILE_TILE_IMPL_H_

#include "kernels/tile/pool_line_impl.h"
#include "kernels/tile/tile_sums_impl.h"

namespace keras_dc {
namespace {

// outputs[v][lane][row] = clamp(sums[row][v][lane]). One vector of pixels at a
// time, since a processor caches the addresses of few pages.
void WriteSums(const TileJob& job) {
  const size_t num_rows = job.weights->num_rows;
  const size_t stride = job.num_outputs * kLanes;
  for (size_t i = 0; i < stride; i += kLanes) {
    float* const* pixels = job.outputs + i;
    const float* from = job.sums + i;
    size_t row = 0;
    for (; row + kSide <= num_rows; row += kSide) {
      Simd::Scatter(job.range, from + row * stride, stride, row, pixels);
    }
    if (row < num_rows && num_rows >= kSide) {
      // Some rows are written a second time.
      row = num_rows - kSide;
      Simd::Scatter(job.range, from + row * stride, stride, row, pixels);
      continue;
    }
    for (; row < num_rows; ++row) {
      for (size_t l = 0; l < kLanes; ++l) {
        if (pixels[l] == nullptr) continue;
        const float sum = from[row * stride + l];
        pixels[l][row] = sum < job.range.lowest    ? job.range.lowest
                         : sum > job.range.highest ? job.range.highest
                                                   : sum;
      }
    }
  }
}

// Whether one of `size` vectors, at most four, has a NaN.
bool HasNaN(const typename Simd::Vector* vectors, size_t size) {
  alignas(64) float lanes[4 * kLanes];
  for (size_t i = 0; i < size; ++i) Simd::Store(lanes + i * kLanes, vectors[i]);
  for (size_t i = 0; i < size * kLanes; ++i) {
    if (lanes[i] != lanes[i]) return true;
  }
  return false;
}

bool RunTile(const TileJob& job) {
  const float zero = 0.0f;
  typename Simd::Vector zeros[] = {Simd::Broadcast(&zero),
                                   Simd::Broadcast(&zero)};
  CopyTable(job.weights->codebook, Blocking::kMaxColumns * sizeof(float),
            job.panel - Blocking::kMaxColumns);
  Dispatch<Simd::kMaxOutputs>(job, zeros);
  if (HasNaN(zeros, 2)) return false;
  WriteSums(job);
  return true;
}

// x * 0 is 0, but NaN if x is Inf or NaN; and a sum with a NaN is NaN.
bool HasNonFinite(const float* values, size_t size) {
  const float zero = 0.0f;
  const typename Simd::Vector zeros = Simd::Broadcast(&zero);
  typename Simd::Vector sums[] = {zeros, zeros, zeros, zeros};
  constexpr size_t kStep = 4 * kLanes;
  size_t i = 0;
  for (; i + kStep <= size; i += kStep) {
    for (size_t k = 0; k < 4; ++k) {
      sums[k] = Simd::MulAdd(Simd::LoadUnaligned(values + i + k * kLanes),
                             zeros, sums[k]);
    }
  }
  float sum = 0.0f;
  for (; i < size; ++i) sum += values[i] * 0.0f;
  return sum != sum || HasNaN(sums, 4);
}

TileKernel MakeTileKernel() {
  return {kLanes, Simd::kMaxOutputs, RunTile, HasNonFinite, RunPoolLine};
}

}  // namespace
}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_TILE_IMPL_H_
