// The inner loops of int8 layers for many pixels at once: as tile.h, but a
// *word*, four int8 numbers of neighbouring channels, takes the place of a
// float. One instruction multiplies the words of a vector of pixels by one word
// of weights.
#ifndef KERAS_DC_SRC_KERNELS_TILE_INT8_TILE_H_
#define KERAS_DC_SRC_KERNELS_TILE_INT8_TILE_H_

#include <cstddef>
#include <cstdint>

#include "common/cpu.h"
#include "kernels/requantize.h"
#include "kernels/tile/tile.h"

namespace keras_dc {

// Channels of a word.
inline constexpr size_t kWordChannels = 4;

// What one tile reads and writes: a TileJob of words, whose bias and sums are
// 32-bit integers, and whose range is not used.
struct Int8TileJob {
  TileJob words;
  // If null, the outputs of `words` become the sums. Else `words.outputs` is
  // not used, and `outputs` has the place of each lane's outputs, or null.
  const OutputScalingView* scaling = nullptr;
  int8_t* const* outputs = nullptr;
  // Scratch of (lanes, rows) words.
  float* lines = nullptr;
};

struct Int8TileKernel {
  // See TileKernel.
  size_t lanes = 0;
  size_t max_outputs = 0;
  // What is added to an input before it is multiplied.
  int32_t input_offset = 0;
  // Whether in both pairs of a word of weights neither the positive ones nor
  // the negative ones may be more than 128 together.
  bool needs_small_pairs = false;
  void (*run)(const Int8TileJob& job) = nullptr;
  Requantize requantize = nullptr;
};

Int8TileKernel Int8TileKernelOf(Isa isa);

Int8TileKernel PortableInt8TileKernel();
Int8TileKernel Avx2Int8TileKernel();
Int8TileKernel VnniInt8TileKernel();
Int8TileKernel NeonInt8TileKernel();
Int8TileKernel NeonDotInt8TileKernel();

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_INT8_TILE_H_
