#include "kernels/forms/int8_rows.h"

#include <cstring>

#include "kernels/forms/weight_words.h"

namespace keras_dc {
namespace {

template <typename Column>
uint32_t SumOfWeights(const Column* columns, const int8_t* values, size_t size,
                      const uint8_t* input) {
  int32_t sums[4] = {};
  size_t i = 0;
  for (; i + 4 <= size; i += 4) {
    for (size_t k = 0; k < 4; ++k) {
      sums[k] += values[i + k] * input[columns[i + k]];
    }
  }
  for (; i < size; ++i) sums[0] += values[i] * input[columns[i]];
  uint32_t sum = 0;
  for (const int32_t s : sums) sum += static_cast<uint32_t>(s);
  return sum;
}

template <typename Column>
uint32_t SumOfWords(const Column* columns, const int8_t* values, size_t size,
                    const uint8_t* input) {
  int32_t sums[4] = {};
  for (size_t i = 0; i < size; ++i, values += 4) {
    const uint8_t* word = input + size_t{columns[i]} * 4;
    for (size_t k = 0; k < 4; ++k) sums[k] += values[k] * word[k];
  }
  uint32_t sum = 0;
  for (const int32_t s : sums) sum += static_cast<uint32_t>(s);
  return sum;
}

template <typename Column>
void RunRows(const Int8Rows& rows, const Column* columns, size_t begin_row,
             size_t end_row, const uint8_t* input, int32_t* sums) {
  for (size_t r = begin_row; r < end_row; ++r) {
    const size_t begin = rows.row_begin[r];
    const size_t size = rows.row_begin[r + 1] - begin;
    const uint32_t sum =
        rows.has_words ? SumOfWords(columns + begin,
                                    rows.values.data() + 4 * begin, size, input)
                       : SumOfWeights(columns + begin,
                                      rows.values.data() + begin, size, input);
    sums[r] = static_cast<int32_t>(static_cast<uint32_t>(sums[r]) + sum);
  }
}

}  // namespace

Int8Rows Int8Rows::Pack(const SparseRows& weights) {
  Int8Rows packed;
  const auto num_columns = static_cast<size_t>(weights.num_columns);
  packed.has_words = weights.columns.size() >=
                     kMinWeightsPerWord * CountWords(weights, num_columns);
  const SparseRows* items = &weights;
  SparseRows words;
  if (packed.has_words) {
    words = WordsOf(weights, num_columns, false);
    items = &words;
  }
  const size_t item_size = packed.has_words ? 4 : 1;
  const size_t num_items = items->columns.size();
  packed.row_begin = items->row_begin;
  if (items->num_columns <= UINT16_MAX + 1) {
    for (size_t e = 0; e < num_items; ++e) {
      packed.near.push_back(static_cast<uint16_t>(items->columns[e]));
    }
  } else {
    packed.far.assign(items->columns.begin(), items->columns.end());
  }
  packed.values.resize(num_items * item_size);
  for (size_t e = 0; e < num_items; ++e) {
    std::memcpy(&packed.values[e * item_size], items->ValueAt(e, item_size),
                item_size);
  }
  return packed;
}

void Int8Rows::Run(size_t begin_row, size_t end_row, const uint8_t* input,
                   int32_t* sums) const {
  if (far.empty()) {
    RunRows(*this, near.data(), begin_row, end_row, input, sums);
  } else {
    RunRows(*this, far.data(), begin_row, end_row, input, sums);
  }
}

size_t Int8Rows::size_bytes() const {
  return row_begin.size() * sizeof(uint32_t) + near.size() * sizeof(uint16_t) +
         far.size() * sizeof(uint32_t) + values.size();
}

}  // namespace keras_dc
