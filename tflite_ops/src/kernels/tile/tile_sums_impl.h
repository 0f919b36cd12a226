// The sums of a tile over a SIMD type, for the files of the instruction sets,
// which define `Simd` before they include this (by tile_impl.h, or for int8 by
// int8_tile_impl.h). All of it has internal linkage and uses no function of the
// standard library: the linker must never merge code that is compiled for one
// instruction set with that for another.
//
// Numbers are floats, or words: four int8 numbers of neighbouring channels in
// the 32 bits of a float. Words are only moved, never computed with as floats.
//
// Simd has: Vector, kLanes, kMaxOutputs, Load, Store, Broadcast,
// MulAdd(a, b, c) = a * b + c, where `a` is a weight, and transposes of kSide
// channels of kLanes pixels:
//   GatherOne(pixels, channel): one channel of kLanes pixels
//   Gather(pixels, channel, stride, panel, zeros)
//     panel[c * stride + l] = pixels[l][channel + c]. Adds 0 times each float
//     to the two sums `zeros`, which become NaN if a value is Inf or NaN
#ifndef KERAS_DC_SRC_KERNELS_TILE_TILE_SUMS_IMPL_H_
#define KERAS_DC_SRC_KERNELS_TILE_TILE_SUMS_IMPL_H_

#include <utility>

#include "kernels/tile/tile.h"

namespace keras_dc {
namespace {

constexpr size_t kLanes = Simd::kLanes;
constexpr size_t kSide = Simd::kSide;

// The tables in front of the panel.
const uint32_t* Offsets(const float* panel) {
  return reinterpret_cast<const uint32_t*>(panel) - 2 * Blocking::kMaxColumns;
}
const float* Codebook(const float* panel) {
  return panel - Blocking::kMaxColumns;
}

// panel[c][v][lane] = inputs[v][lane][first_channel + c]; `zeros` as for
// Gather.
void FillPanel(const TileJob& job, size_t first_channel, size_t num_channels,
               typename Simd::Vector* zeros) {
  const size_t stride = job.num_inputs * kLanes;
  for (size_t v = 0; v < job.num_inputs; ++v) {
    const float* const* pixels = job.inputs + v * kLanes;
    float* to = job.panel + v * kLanes;
    size_t c = 0;
    for (; c + kSide <= num_channels; c += kSide) {
      Simd::Gather(pixels, first_channel + c, stride, to + c * stride, zeros);
    }
    if (c < num_channels && num_channels >= kSide) {
      // Some channels are gathered a second time.
      c = num_channels - kSide;
      Simd::Gather(pixels, first_channel + c, stride, to + c * stride, zeros);
      continue;
    }
    for (; c < num_channels; ++c) {
      const float zero = 0.0f;
      const typename Simd::Vector channel =
          Simd::GatherOne(pixels, first_channel + c);
      Simd::Store(to + c * stride, channel);
      zeros[0] = Simd::MulAdd(channel, Simd::Broadcast(&zero), zeros[0]);
    }
  }
}

// The two kinds of weights, with and without a codebook: where the inputs of a
// weight are, and where its value is. Both are found from the panel's address,
// so that the inner loop needs few registers. A code is read into a whole
// register, since compilers make slow code for narrow types.
struct CodedWeights {
  const uint16_t* codes;
  void Skip(size_t count) { codes += count; }
  size_t code(size_t i) const { return codes[i]; }
  static const float* inputs(const float* panel, size_t code) {
    return panel + Offsets(panel)[code & 0xff];
  }
  const float* value(const float* panel, size_t, size_t code) const {
    return Codebook(panel) + (code >> 8);
  }
};

struct PlainWeights {
  const uint8_t* columns;
  const float* values;
  void Skip(size_t count) {
    columns += count;
    values += count;
  }
  size_t code(size_t i) const { return columns[i]; }
  static const float* inputs(const float* panel, size_t code) {
    return panel + Offsets(panel)[code];
  }
  const float* value(const float*, size_t i, size_t) const {
    return values + i;
  }
};

// Adds the products of one block to the sums, which begin with the bias in the
// first block. For each row, the sums of all output vectors are in registers.
// The outputs are unrolled by a fold over their numbers, and the function is
// not inlined: else compilers give up unrolling, and keep the sums in memory.
template <typename Weights, size_t... kOutput>
__attribute__((noinline)) void AddBlock(const TileJob& job,
                                        const BlockedWeights::Block* block,
                                        Weights weights,
                                        std::index_sequence<kOutput...>) {
  constexpr size_t kSize = sizeof...(kOutput) * kLanes;
  const uint16_t* row = job.weights->rows + block[0].row;
  const BlockedWeights::Run* runs = job.weights->runs;
  float* all_sums = job.sums;
  const float* panel = job.panel;
  const bool is_first = block == job.weights->blocks;
  weights.Skip(block[0].weight);
  for (size_t r = block[0].run; r < block[1].run; ++r) {
    const size_t num_weights = runs[r].num_weights;
    for (size_t i = runs[r].num_rows; i > 0; --i) {
      float* to = all_sums + size_t{*row} * kSize;
      typename Simd::Vector sums[sizeof...(kOutput)];
      if (is_first) {
        const float zero = 0.0f;
        const typename Simd::Vector bias =
            Simd::Broadcast(job.bias == nullptr ? &zero : job.bias + *row);
        ((sums[kOutput] = bias), ...);
      } else {
        ((sums[kOutput] = Simd::Load(to + kOutput * kLanes)), ...);
      }
      ++row;
      for (size_t k = 0; k < num_weights; ++k) {
        const size_t code = weights.code(k);
        const float* from = weights.inputs(panel, code);
        const typename Simd::Vector value =
            Simd::Broadcast(weights.value(panel, k, code));
        ((sums[kOutput] = Simd::MulAdd(
              value, Simd::Load(from + kOutput * kLanes), sums[kOutput])),
         ...);
      }
      (Simd::Store(to + kOutput * kLanes, sums[kOutput]), ...);
      weights.Skip(num_weights);
    }
  }
}

void CopyTable(const void* from, size_t size_bytes, float* to) {
  __builtin_memcpy(to, from, size_bytes);
}

// Offsets of one piece; the last piece has fewer columns.
void CopyOffsets(const TileJob& job, size_t piece) {
  const size_t first = piece * Blocking::kMaxColumns;
  const size_t left = job.num_offsets - first;
  CopyTable(job.offsets + first,
            (left < Blocking::kMaxColumns ? left : Blocking::kMaxColumns) *
                sizeof(uint32_t),
            job.panel - 2 * Blocking::kMaxColumns);
}

template <size_t kNumOutputs>
void AddBlocks(const TileJob& job, typename Simd::Vector* zeros) {
  constexpr auto kOutputs = std::make_index_sequence<kNumOutputs>();
  const TileWeights& weights = *job.weights;
  const BlockedWeights::Block* block = weights.blocks;
  size_t c = 0;
  do {
    const size_t left = weights.num_channels - c;
    FillPanel(job, c,
              left < weights.block_channels ? left : weights.block_channels,
              zeros);
    for (size_t p = 0; p < weights.num_pieces; ++p, ++block) {
      CopyOffsets(job, p);
      if (weights.codes != nullptr) {
        AddBlock(job, block, CodedWeights{weights.codes}, kOutputs);
      } else {
        AddBlock(job, block, PlainWeights{weights.columns, weights.values},
                 kOutputs);
      }
    }
    c += weights.block_channels;
  } while (c < weights.num_channels);
}

// Calls AddBlocks for job.num_outputs, which is at most kOutputs.
template <size_t kOutputs>
void Dispatch(const TileJob& job, typename Simd::Vector* zeros) {
  if (job.num_outputs == kOutputs) {
    AddBlocks<kOutputs>(job, zeros);
  } else if constexpr (kOutputs > 1) {
    Dispatch<kOutputs - 1>(job, zeros);
  }
}

}  // namespace
}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_TILE_SUMS_IMPL_H_
