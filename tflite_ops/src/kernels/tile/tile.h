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

// BlockedWeights as plain pointers. A file that is compiled for newer
// instructions must not instantiate templates: the linker might use that copy
// for all files.
struct TileWeights {
  explicit TileWeights(const BlockedWeights& weights);

  const BlockedWeights::Block* blocks;
  const BlockedWeights::Run* runs;
  const uint16_t* rows;
  const uint16_t* codes;  // null without a codebook
  const float* codebook;
  const uint8_t* columns;
  const float* values;
  size_t num_rows;
  size_t num_channels;
  size_t block_channels;
  size_t num_pieces;
};

// The range that outputs are clamped to.
struct OutputRange {
  float lowest = 0.0f;
  float highest = 0.0f;
};

enum class Activation : uint8_t;

// All numbers for an activation that is not a clamp.
OutputRange RangeOf(Activation activation);

// What one tile reads and writes. A *tile* is a set of output pixels that is
// computed for all rows of the weights at once; a *vector* is a SIMD register
// with one number for each of its pixels.
struct TileJob {
  const TileWeights* weights = nullptr;
  // The bias of the weights' first row and of the others behind it, or null.
  const float* bias = nullptr;
  OutputRange range;

  // For each lane of each vector that the tile reads: channel 0 of its pixel.
  // The other channels follow.
  size_t num_inputs = 0;
  const float* const* inputs = nullptr;
  // For each column of a block, piece by piece (see Blocking): where its first
  // vector begins in the panel, in floats.
  const uint32_t* offsets = nullptr;
  size_t num_offsets = 0;

  // For each lane of each vector that the tile writes: the output of its pixel
  // for the weights' first row. Null for a lane without a pixel.
  size_t num_outputs = 0;
  float* const* outputs = nullptr;

  // Scratch, aligned to cache lines: `panel` is (block_channels, num_inputs,
  // lanes) with kPanelTables floats in front, `sums` is (rows, num_outputs,
  // lanes).
  float* panel = nullptr;
  float* sums = nullptr;
};

// Floats in front of a panel, for the tables of a block.
inline constexpr size_t kPanelTables = 2 * Blocking::kMaxColumns;

struct TileKernel {
  // Pixels of a vector.
  size_t lanes = 0;
  // The most vectors that a tile may write.
  size_t max_outputs = 0;
  // Returns false and writes nothing if an input is Inf or NaN.
  bool (*run)(const TileJob& job) = nullptr;
  // True if there is an Inf or a NaN.
  bool (*has_non_finite)(const float* values, size_t size) = nullptr;
  // The inner loop of Pool2D, for the same registers.
  void (*pool_line)(const PoolLine& line) = nullptr;
};

TileKernel TileKernelOf(Isa isa);

TileKernel PortableTileKernel();
TileKernel Avx2TileKernel();
TileKernel Avx512TileKernel();
TileKernel NeonTileKernel();

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_TILE_H_
