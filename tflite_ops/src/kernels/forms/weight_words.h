// The words of int8 weights: four neighbouring columns of a row in 32 bits, as
// one instruction multiplies them. A word is made where one of its weights is
// kept. Rows that were pruned in blocks of four have full words; other rows
// have words with zeros, still fewer than they have weights.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_WEIGHT_WORDS_H_
#define KERAS_DC_SRC_KERNELS_FORMS_WEIGHT_WORDS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"

namespace keras_dc {

// `channels` of a pixel as words; the last one may be partly empty.
inline size_t NumWords(size_t channels) { return (channels + 3) / 4; }

// The words of int8 `weights` as values of 4 bytes, without a codebook; `dtype`
// is that of 4 bytes. A row has taps of `channels` columns each, and each tap
// becomes NumWords(channels) columns.
//
// Args:
//   has_small_pairs: whether a word becomes two, at the same column, if in one
//     of its pairs the positive weights, or the negative ones, are more than
//     128 together: 255 times such a pair does not fit 16 bits.
SparseRows WordsOf(const SparseRows& weights, size_t channels,
                   bool has_small_pairs);

// The number of words, without any that are made two.
size_t CountWords(const SparseRows& weights, size_t channels);

// The sum of each row's int8 weights.
std::vector<int32_t> RowSums(const SparseRows& weights);

// The int8 value of entry `e`.
inline int32_t Int8At(const SparseRows& weights, size_t e) {
  return static_cast<int8_t>(*weights.ValueAt(e, 1));
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_WEIGHT_WORDS_H_
