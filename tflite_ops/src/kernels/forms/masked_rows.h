// The masked form: int8 weights for products with one vector. A bit for each
// column, or for each word of four, tells whether it is kept, and the kept ones
// follow one another; an instruction spreads them over a register. The work
// depends on the size of the layer alone, the memory on its density.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_MASKED_ROWS_H_
#define KERAS_DC_SRC_KERNELS_FORMS_MASKED_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"
#include "kernels/forms/aligned_vector.h"

namespace keras_dc {

struct MaskedRows {
  // Columns of a chunk, whose weights fill a register.
  static constexpr size_t kChunk = 64;

  size_t num_rows = 0;
  size_t num_chunks = 0;
  // Row by row, a mask for each chunk. Either `masks` has a bit for each
  // column, or `word_masks` one for each word; the other is empty.
  AlignedVector<uint64_t> masks;
  AlignedVector<uint16_t> word_masks;
  // Where the values of each row begin; and the end.
  std::vector<size_t> row_begin;
  // The kept weights or words, and kChunk bytes behind them.
  AlignedVector<int8_t> values;

  // Has words if that takes fewer bytes: if the weights were pruned in blocks
  // of four columns, or hardly pruned.
  static MaskedRows Pack(const SparseRows& weights);

  size_t size_bytes() const;
};

// MaskedRows as plain pointers, see LockstepView.
struct MaskedView {
  explicit MaskedView(const MaskedRows& rows)
      : num_chunks(rows.num_chunks),
        masks(rows.masks.empty() ? nullptr : rows.masks.data()),
        word_masks(rows.word_masks.data()),
        row_begin(rows.row_begin.data()),
        values(rows.values.data()) {}

  size_t num_chunks;
  const uint64_t* masks;  // null if there are words
  const uint16_t* word_masks;
  const size_t* row_begin;
  const int8_t* values;
};

// sums[row] += weights * (input, as unsigned numbers), for the rows
// [begin_row, end_row).
//
// Args:
//   input: a byte for each column of the num_chunks chunks.
//   sums: 32-bit integers, from row 0 on.
void RunMaskedVnni(const MaskedView& rows, size_t begin_row, size_t end_row,
                   const uint8_t* input, int32_t* sums);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_MASKED_ROWS_H_
