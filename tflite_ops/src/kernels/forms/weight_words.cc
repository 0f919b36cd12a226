#include "kernels/forms/weight_words.h"

#include <array>
#include <cstring>

namespace keras_dc {
namespace {

using Word = std::array<int8_t, 4>;

// Whether the pair fits 16 bits when it is multiplied by 255.
bool IsSmallPair(int a, int b) {
  constexpr int kMost = 128;
  return (a < 0) != (b < 0) || (a + b <= kMost && a + b >= -kMost);
}

bool HasSmallPairs(const Word& word) {
  return IsSmallPair(word[0], word[1]) && IsSmallPair(word[2], word[3]);
}

// Calls `visit(row, column, word)` for each word.
template <typename Visit>
void VisitWords(const SparseRows& weights, size_t channels, Visit visit) {
  const size_t num_words = NumWords(channels);
  for (size_t row = 0; row < static_cast<size_t>(weights.num_rows); ++row) {
    Word word = {};
    size_t tap = 0, first = 0, column = 0;
    bool has_word = false;
    for (size_t e = weights.row_begin[row]; e < weights.row_begin[row + 1];
         ++e) {
      while (weights.columns[e] - first >= channels) {
        first += channels;
        ++tap;
      }
      const size_t channel = weights.columns[e] - first;
      const size_t at = tap * num_words + channel / 4;
      if (has_word && at != column) {
        visit(row, column, word);
        word = {};
      }
      has_word = true;
      column = at;
      word[channel % 4] = static_cast<int8_t>(Int8At(weights, e));
    }
    if (has_word) visit(row, column, word);
  }
}

}  // namespace

SparseRows WordsOf(const SparseRows& weights, size_t channels,
                   bool has_small_pairs) {
  SparseRows words;
  words.dtype = KDC_FLOAT32;
  words.num_rows = weights.num_rows;
  words.num_columns = weights.num_columns / static_cast<int64_t>(channels) *
                      static_cast<int64_t>(NumWords(channels));
  const auto num_rows = static_cast<size_t>(weights.num_rows);
  words.row_begin.assign(num_rows + 1, 0);
  const auto each = [&](auto visit) {
    VisitWords(weights, channels,
               [&](size_t row, size_t column, const Word& word) {
                 if (!has_small_pairs || HasSmallPairs(word)) {
                   return visit(row, column, word);
                 }
                 visit(row, column, Word{word[0], 0, word[2], 0});
                 visit(row, column, Word{0, word[1], 0, word[3]});
               });
  };
  each([&](size_t row, size_t, const Word&) { ++words.row_begin[row + 1]; });
  for (size_t row = 0; row < num_rows; ++row) {
    words.row_begin[row + 1] += words.row_begin[row];
  }
  const size_t num_words = words.row_begin[num_rows];
  words.columns.resize(num_words);
  words.values.resize(num_words * sizeof(Word));
  size_t at = 0;
  each([&](size_t, size_t column, const Word& word) {
    words.columns[at] = static_cast<uint32_t>(column);
    std::memcpy(&words.values[at * sizeof(Word)], word.data(), sizeof(Word));
    ++at;
  });
  return words;
}

size_t CountWords(const SparseRows& weights, size_t channels) {
  size_t count = 0;
  VisitWords(weights, channels, [&](size_t, size_t, const Word&) { ++count; });
  return count;
}

std::vector<int32_t> RowSums(const SparseRows& weights) {
  std::vector<int32_t> sums(static_cast<size_t>(weights.num_rows));
  for (size_t row = 0; row < sums.size(); ++row) {
    // Sums wrap, as those of the outputs do.
    uint32_t sum = 0;
    for (size_t e = weights.row_begin[row]; e < weights.row_begin[row + 1];
         ++e) {
      sum += static_cast<uint32_t>(Int8At(weights, e));
    }
    sums[row] = static_cast<int32_t>(sum);
  }
  return sums;
}

}  // namespace keras_dc
