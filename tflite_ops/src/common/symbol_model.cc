#include "common/symbol_model.h"

namespace keras_dc {

SymbolModel::SymbolModel(size_t num_symbols, int context_bits,
                         uint64_t line_length, uint64_t period)
    : num_bits_(SymbolBits(num_symbols)),
      context_bits_(context_bits),
      twice_range_(2 * static_cast<uint32_t>(num_symbols) - 1),
      period_(period),
      plain_(size_t{1} << num_bits_),
      by_context_(kNumContexts << context_bits),
      current_(static_cast<size_t>(line_length) + kPadding),
      previous_(period == 0 ? current_.size() : 0) {}

// FORMAT.md, 9.5: a sixteenth of the range, in which the mean of the
// neighbours lies; 0 if there are none.
size_t SymbolModel::Context(uint64_t offset) const {
  const uint16_t* here = &current_[kPadding + static_cast<size_t>(offset)];
  uint32_t sum = 0, weights = 0;
  const auto add = [&](uint32_t symbol, uint32_t weight) {
    sum += weight * symbol;
    weights += symbol != 0 ? weight : 0;
  };
  add(here[-1] != 0 ? here[-1] : here[-2], 2);
  if (period_ == 0) {
    add(previous_[kPadding + static_cast<size_t>(offset)], 2);
  } else {
    if (offset >= period_) {
      add(here[-static_cast<ptrdiff_t>(period_)], 2);
    }
    if (offset > period_) {
      add(here[-static_cast<ptrdiff_t>(period_) - 1], 1);
    }
    if (offset + 1 >= period_ && period_ > 1) {
      add(here[-static_cast<ptrdiff_t>(period_) + 1], 1);
    }
  }
  if (weights == 0) return 0;
  return 1 + (2 * sum / weights - 2) * (kNumContexts - 1) / twice_range_;
}

void SymbolModel::EndLine() {
  if (period_ == 0) {
    for (const uint32_t offset : previous_offsets_) {
      previous_[kPadding + offset] = 0;
    }
    previous_.swap(current_);
    previous_offsets_.swap(offsets_);
  } else {
    for (const uint32_t offset : offsets_) current_[kPadding + offset] = 0;
  }
  offsets_.clear();
}

}  // namespace keras_dc
