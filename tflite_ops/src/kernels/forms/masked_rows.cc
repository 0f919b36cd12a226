#include "kernels/forms/masked_rows.h"

#include <cstring>

#include "kernels/forms/weight_words.h"

namespace keras_dc {

MaskedRows MaskedRows::Pack(const SparseRows& weights) {
  MaskedRows packed;
  const auto num_columns = static_cast<size_t>(weights.num_columns);
  packed.num_rows = static_cast<size_t>(weights.num_rows);
  packed.num_chunks = (num_columns + kChunk - 1) / kChunk;
  const size_t num_masks = packed.num_rows * packed.num_chunks;
  const size_t num_words = CountWords(weights, num_columns);
  const bool has_words = num_words * 4 + num_masks * sizeof(uint16_t) <=
                         weights.columns.size() + num_masks * sizeof(uint64_t);
  const SparseRows* items = &weights;
  SparseRows words;
  if (has_words) {
    words = WordsOf(weights, num_columns, false);
    items = &words;
    packed.word_masks.resize(num_masks);
  } else {
    packed.masks.resize(num_masks);
  }
  const size_t item_size = has_words ? 4 : 1;
  const size_t chunk_items = kChunk / item_size;
  packed.values.resize(items->columns.size() * item_size + kChunk);
  for (size_t row = 0; row < packed.num_rows; ++row) {
    packed.row_begin.push_back(items->row_begin[row] * item_size);
    for (size_t e = items->row_begin[row]; e < items->row_begin[row + 1]; ++e) {
      const size_t chunk =
          row * packed.num_chunks + items->columns[e] / chunk_items;
      const size_t bit = items->columns[e] % chunk_items;
      if (has_words) {
        packed.word_masks[chunk] =
            static_cast<uint16_t>(packed.word_masks[chunk] | 1u << bit);
      } else {
        packed.masks[chunk] |= uint64_t{1} << bit;
      }
      std::memcpy(&packed.values[e * item_size], items->ValueAt(e, item_size),
                  item_size);
    }
  }
  packed.row_begin.push_back(items->columns.size() * item_size);
  return packed;
}

size_t MaskedRows::size_bytes() const {
  return masks.size() * sizeof(uint64_t) +
         word_masks.size() * sizeof(uint16_t) +
         row_begin.size() * sizeof(size_t) + values.size();
}

}  // namespace keras_dc
