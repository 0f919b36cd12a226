#include "kernels/tile/tile.h"

#include <limits>

#include "kernels/activation.h"

namespace keras_dc {

TileWeights::TileWeights(const BlockedWeights& weights)
    : blocks(weights.blocks.data()),
      runs(weights.runs.data()),
      rows(weights.rows.data()),
      codes(weights.values.empty() ? weights.codes.data() : nullptr),
      codebook(weights.codebook),
      columns(weights.columns.data()),
      values(weights.values.data()),
      num_rows(weights.num_rows),
      num_channels(weights.blocking.num_channels),
      block_channels(weights.blocking.block_channels),
      num_pieces(weights.blocking.pieces()) {}

OutputRange RangeOf(Activation activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (activation) {
    case Activation::kRelu:
      return {0.0f, kInfinity};
    case Activation::kRelu6:
      return {0.0f, 6.0f};
    case Activation::kReluN1To1:
      return {-1.0f, 1.0f};
    default:
      return {-kInfinity, kInfinity};
  }
}

TileKernel TileKernelOf(Isa isa) {
  switch (isa) {
#if defined(KERAS_DC_X86_KERNELS)
    case Isa::kAmx:
    case Isa::kAvx512:
      return Avx512TileKernel();
    case Isa::kAvx2:
      return Avx2TileKernel();
#elif defined(KERAS_DC_NEON_KERNELS)
    case Isa::kNeon:
      return NeonTileKernel();
#endif
    default:
      return PortableTileKernel();
  }
}

}  // namespace keras_dc
