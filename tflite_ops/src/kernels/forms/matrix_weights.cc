#include "kernels/forms/matrix_weights.h"

#include <algorithm>
#include <cstring>

namespace keras_dc {
namespace {

constexpr size_t kRows = MatrixJob::kRows;
constexpr size_t kWords = MatrixJob::kWords;

// More rows read the same pixels less often; but the dense weights of a panel
// should stay in the first cache.
size_t PanelRows(size_t num_steps) {
  constexpr size_t kMostSteps = 8;
  return MatrixJob::kPanelRows / (num_steps > kMostSteps ? 2 : 1);
}

size_t CountBits(unsigned bits) {
  size_t count = 0;
  for (; bits != 0; bits &= bits - 1) ++count;
  return count;
}

// Of 16 rows; the last panel may have fewer.
size_t NumSets(size_t num_rows) { return (num_rows + kRows - 1) / kRows; }

}  // namespace

MatrixWeights MatrixWeights::Pack(const SparseRows& words,
                                  const std::vector<uint32_t>& places,
                                  size_t num_steps) {
  MatrixWeights packed;
  packed.num_rows_ = static_cast<size_t>(words.num_rows);
  packed.num_steps_ = num_steps;
  packed.places_ = places;
  packed.panel_rows_ = PanelRows(num_steps);
  const size_t panel_rows = packed.panel_rows_;
  packed.masks_.resize(NumSets(packed.num_rows_) * num_steps * kWords);
  packed.words_.resize(words.columns.size());
  // The mask of a word, and the bit of its row.
  const auto mask_of = [&](size_t row, size_t e) {
    const size_t first_row = row / panel_rows * panel_rows;
    const size_t sets =
        NumSets(std::min(packed.num_rows_ - first_row, panel_rows));
    const size_t place = places[words.columns[e]];
    const size_t set = row % panel_rows / kRows;
    return first_row / kRows * num_steps * kWords +
           (place / kWords * sets + set) * kWords + place % kWords;
  };
  const auto for_each_word = [&](auto visit) {
    for (size_t row = 0; row < packed.num_rows_; ++row) {
      for (size_t e = words.row_begin[row]; e < words.row_begin[row + 1]; ++e) {
        visit(mask_of(row, e), row % kRows, e);
      }
    }
  };
  for_each_word([&](size_t mask, size_t row, size_t) {
    packed.masks_[mask] |= static_cast<uint16_t>(1u << row);
  });
  std::vector<size_t> first(packed.masks_.size());
  size_t num_words = 0;
  const size_t panel_masks = panel_rows / kRows * num_steps * kWords;
  for (size_t m = 0; m < first.size(); ++m) {
    if (m % panel_masks == 0) packed.first_words_.push_back(num_words);
    first[m] = num_words;
    num_words += CountBits(packed.masks_[m]);
  }
  for_each_word([&](size_t mask, size_t row, size_t e) {
    const unsigned before = packed.masks_[mask] & ((1u << row) - 1);
    std::memcpy(&packed.words_[first[mask] + CountBits(before)],
                words.ValueAt(e), sizeof(uint32_t));
  });
  return packed;
}

void MatrixWeights::SetPanel(size_t panel, MatrixJob* job) const {
  const size_t first_row = panel * panel_rows_;
  job->masks = masks_.data() + first_row / kRows * num_steps_ * kWords;
  job->words = words_.data() + first_words_[panel];
  job->num_rows = std::min(num_rows_ - first_row, panel_rows_);
  job->num_steps = num_steps_;
}

size_t MatrixWeights::size_bytes() const {
  return places_.size() * sizeof(uint32_t) + masks_.size() * sizeof(uint16_t) +
         words_.size() * sizeof(uint32_t) +
         first_words_.size() * sizeof(size_t);
}

}  // namespace keras_dc
