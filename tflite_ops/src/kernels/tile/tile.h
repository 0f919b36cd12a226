// The inner loops of Conv2D and of FullyConnected with a batch: a sparse matrix
// times a tile of pixels, one pixel per SIMD lane.
#ifndef KERAS_DC_SRC_KERNELS_TILE_TILE_H_
#define KERAS_DC_SRC_KERNELS_TILE_TILE_H_

#include <cstddef>
#include <cstdint>

#include "common/cpu.h"
#include "kernels/forms/blocked_weights.h"
#include "kernels/tile/pool_line.h"

namespace keras_dc {

// BlockedWeights by plain pointers, so that a file made for one processor
// instantiates nothing that others could be given by the linker.
struct TileWeights {
  explicit TileWeights(const BlockedWeights& weights);

  const BlockedWeights::Block* blocks;
  const BlockedWeights::Run* runs;
  const uint16_t* rows;
  const uint16_t* codes;  // null where there is no codebook
  const float* codebook;
  const uint8_t* columns;
  const float* values;
  size_t num_rows;
  size_t num_channels;
  size_t block_channels;
  size_t num_pieces;
};

// What an output is clamped to.
struct OutputRange {
  float lowest = 0.0f;
  float highest = 0.0f;
};

enum class Activation : uint8_t;

// Everything for an activation that does not clamp.
OutputRange RangeOf(Activation activation);

// What one tile reads and writes. A *vector* is one SIMD register of pixels.
struct TileJob {
  const TileWeights* weights = nullptr;
  // Of the first row of the weights, or null.
  const float* bias = nullptr;
  OutputRange range;

  // Channel 0 of the pixel of each lane of each vector that the tile reads; the
  // other channels follow.
  size_t num_inputs = 0;
  const float* const* inputs = nullptr;
  // For each column of a block, piece by piece (see Blocking): its first vector
  // in the panel, in floats.
  const uint32_t* offsets = nullptr;
  size_t num_offsets = 0;

  // The first row of the weights of the pixel of each lane; null for a lane
  // without a pixel.
  size_t num_outputs = 0;
  float* const* outputs = nullptr;

  // Scratch, at cache lines: (block_channels, num_inputs, lanes), with
  // kPanelTables floats in front of it, and (rows, num_outputs, lanes).
  float* panel = nullptr;
  float* sums = nullptr;
};

// Floats in front of a panel.
inline constexpr size_t kPanelTables = 2 * Blocking::kMaxColumns;

struct TileKernel {
  // Pixels per vector.
  size_t lanes = 0;
  // The most vectors that a tile may write.
  size_t max_outputs = 0;
  // False, and no outputs, if an input is Inf or NaN.
  bool (*run)(const TileJob& job) = nullptr;
  // True if there is an Inf or a NaN.
  bool (*has_non_finite)(const float* values, size_t size) = nullptr;
  // Pool2D's, which needs the same registers.
  void (*pool_line)(const PoolLine& line) = nullptr;
};

TileKernel TileKernelOf(Isa isa);

TileKernel PortableTileKernel();
TileKernel Avx2TileKernel();
TileKernel Avx512TileKernel();
TileKernel NeonTileKernel();

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_TILE_H_
