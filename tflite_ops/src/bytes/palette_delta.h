// The values of a tensor, given those of an older one of its shape (PACK.md,
// 3.6). Values are patterns of up to 4 bytes.
#ifndef KERAS_DC_SRC_BYTES_PALETTE_DELTA_H_
#define KERAS_DC_SRC_BYTES_PALETTE_DELTA_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bytes/control_coder.h"
#include "common/value_index.h"

namespace keras_dc {

// The values beside 0 that a tensor has, and which of them each weight is: 0,
// or one more than its place.
struct ValuePalette {
  std::vector<uint32_t> values;
  std::vector<uint16_t> symbols;
};

// Values ascending. False if there are more than kMostPaletteValues.
inline bool MakePalette(const std::vector<uint32_t>& weights,
                        ValuePalette* palette) {
  ValueIndex found;
  palette->symbols.resize(weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    const size_t number = weights[i] == 0 ? 0 : found.Add(weights[i]) + 1;
    if (weights[i] != 0 && number == 0) return false;
    palette->symbols[i] = static_cast<uint16_t>(number);
  }
  palette->values = found.values();
  std::sort(palette->values.begin(), palette->values.end());
  std::vector<uint16_t> order(palette->values.size() + 1, 0);
  for (size_t i = 0; i < palette->values.size(); ++i) {
    order[found.Find(palette->values[i]) + 1] = static_cast<uint16_t>(i + 1);
  }
  for (uint16_t& symbol : palette->symbols) symbol = order[symbol];
  return true;
}

// Codes which value each weight has, given the symbol of the older tensor.
class SymbolDelta {
 public:
  // Symbols are below `num_symbols`.
  explicit SymbolDelta(size_t num_symbols) {
    while ((size_t{1} << num_bits_) < num_symbols) ++num_bits_;
    others_.resize(size_t{2} << num_bits_);
  }

  template <typename Coder>
  uint16_t Code(uint16_t symbol, uint16_t old, Coder* coder) {
    AdaptiveProbability& same = same_[(old == 0 ? 0 : 1) * 16 + recent_];
    const int is_same =
        CodeBit(symbol == old ? 1 : 0, &same, coder, kMaxAdaptiveCount);
    recent_ = (recent_ << 1 | static_cast<uint32_t>(is_same)) & 15;
    if (is_same != 0) return old;
    size_t node = 1;
    AdaptiveProbability* tree =
        &others_[(old == 0 ? 0 : 1) * (others_.size() / 2)];
    for (int place = num_bits_ - 1; place >= 0; --place) {
      const int bit = CodeBit((symbol >> place) & 1, &tree[node], coder);
      node = 2 * node + static_cast<size_t>(bit);
    }
    return static_cast<uint16_t>(node - (size_t{1} << num_bits_));
  }

 private:
  int num_bits_ = 0;
  uint32_t recent_ = 15;
  std::array<AdaptiveProbability, 32> same_{};
  std::vector<AdaptiveProbability> others_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_PALETTE_DELTA_H_
