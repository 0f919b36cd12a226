// The blocked form: a sparse matrix for products with many vectors at once, the
// pixels of an image or the rows of a batch. Columns are cut into blocks, so
// that the inputs of a block stay in the first-level cache.
//
// In a block, rows with the same number of weights stand together. Each number
// then has a loop of constant length, and no branch depends on random numbers.
// The first block has all rows, even those without weights, so that all sums
// begin there; later blocks have only rows with weights.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_BLOCKED_WEIGHTS_H_
#define KERAS_DC_SRC_KERNELS_FORMS_BLOCKED_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"
#include "kernels/forms/aligned_vector.h"

namespace keras_dc {

// How columns are cut into blocks. The columns of a convolution are (tap,
// channel); they become (channel, tap), so that a block needs few channels. A
// matrix has one tap.
struct Blocking {
  static constexpr size_t kMaxColumns = 256;

  size_t num_channels = 0;
  size_t num_taps = 1;
  // Channels of a block, with all their taps. If there are more taps than
  // kMaxColumns, a channel is cut into several blocks, its pieces.
  size_t block_channels = 1;

  // Blocks that a set of `block_channels` channels takes.
  size_t pieces() const { return (num_taps + kMaxColumns - 1) / kMaxColumns; }
  size_t num_blocks() const {
    const size_t num_sets =
        (num_channels + block_channels - 1) / block_channels;
    return (num_sets > 0 ? num_sets : 1) * pieces();
  }
  // Taps of one piece.
  size_t piece_taps() const {
    return num_taps < kMaxColumns ? num_taps : kMaxColumns;
  }
  bool operator==(const Blocking& other) const {
    return num_channels == other.num_channels && num_taps == other.num_taps &&
           block_channels == other.block_channels;
  }
};

struct BlockedWeights {
  // Row numbers have 16 bits.
  static constexpr size_t kMaxRows = 65536;

  // `num_rows` rows of `num_weights` weights each.
  struct Run {
    uint32_t num_weights = 0;
    uint32_t num_rows = 0;
  };

  // Where the parts of a block begin; they end where the next block's begin.
  struct Block {
    uint32_t run = 0;
    uint32_t row = 0;
    uint32_t weight = 0;
  };

  Blocking blocking;
  size_t first_row = 0;
  size_t num_rows = 0;
  float codebook[256] = {};
  std::vector<Block> blocks;
  std::vector<Run> runs;
  // Counted from first_row.
  std::vector<uint16_t> rows;
  // With a codebook: column in the block + 256 * cluster index. Without one:
  // empty, and `columns` (in the block) and `values` hold the weights.
  AlignedVector<uint16_t> codes;
  std::vector<uint8_t> columns;
  std::vector<float> values;

  // Packs rows [begin_row, end_row), at most kMaxRows.
  static BlockedWeights Pack(const SparseRows& weights,
                             const Blocking& blocking, size_t begin_row,
                             size_t end_row);

  size_t size_bytes() const;

  // Calls `visit(row, channel, tap, value)` for each weight.
  template <typename Visit>
  void ForEach(Visit visit) const {
    const size_t pieces = blocking.pieces(), taps = blocking.piece_taps();
    for (size_t b = 0; b + 1 < blocks.size(); ++b) {
      size_t weight = blocks[b].weight, row = blocks[b].row;
      for (uint32_t r = blocks[b].run; r < blocks[b + 1].run; ++r) {
        for (uint32_t i = 0; i < runs[r].num_rows; ++i, ++row) {
          for (uint32_t k = 0; k < runs[r].num_weights; ++k, ++weight) {
            const size_t column =
                columns.empty() ? codes[weight] & 0xff : columns[weight];
            visit(first_row + rows[row],
                  b / pieces * blocking.block_channels + column / taps,
                  b % pieces * taps + column % taps,
                  columns.empty() ? codebook[codes[weight] >> 8]
                                  : values[weight]);
          }
        }
      }
    }
  }
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_BLOCKED_WEIGHTS_H_
