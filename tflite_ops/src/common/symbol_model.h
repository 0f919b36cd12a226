// Predicts symbols: cluster indices in the order of their centroids, or bytes
// of values (FORMAT.md, 9.5 and 9.6).
#ifndef KERAS_DC_SRC_COMMON_SYMBOL_MODEL_H_
#define KERAS_DC_SRC_COMMON_SYMBOL_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/adaptive_model.h"

namespace keras_dc {

// The bits of a symbol are coded from the highest one on. The node of a bit is
// 1 followed by the bits before it.
inline int SymbolBits(size_t num_symbols) {
  int bits = 0;
  while (num_symbols > size_t{1} << bits) ++bits;
  return bits;
}

// Knows what the symbols around are: the highest bits of a symbol are like
// those of its neighbours.
class SymbolModel {
 public:
  // Kept weights of a line repeat after `period` weights; 0 if they do not.
  // The neighbours tell the highest `context_bits` bits.
  SymbolModel(size_t num_symbols, int context_bits, uint64_t line_length,
              uint64_t period);

  // Codes the symbol of the kept weight at `offset` of the current line. A
  // damaged stream may give one of `num_symbols` or more; there is no going on
  // then.
  template <typename Coder>
  uint32_t Code(Coder* coder, uint64_t offset, uint32_t symbol) {
    AdaptiveBit* tree = &by_context_[Context(offset) << context_bits_];
    uint32_t node = 1;
    for (int place = num_bits_ - 1; place >= 0; --place) {
      const int bit = static_cast<int>(symbol >> place & 1);
      AdaptiveBit& plain = plain_[node];
      int coded;
      if (node >> context_bits_ == 0) {
        // What is new in a context begins as it is without one.
        if (tree[node].count() == 0) tree[node].StartAs(plain);
        coded = tree[node].Code(coder, bit);
        plain.Update(coded);
      } else {
        coded = plain.Code(coder, bit);
      }
      node = node << 1 | static_cast<uint32_t>(coded);
    }
    const uint32_t coded = node - (1u << num_bits_);
    current_[kPadding + static_cast<size_t>(offset)] =
        static_cast<uint16_t>(coded + 1);
    offsets_.push_back(static_cast<uint32_t>(offset));
    return coded;
  }

  void EndLine();

 private:
  static constexpr size_t kNumContexts = 17;
  static constexpr size_t kPadding = 2;

  size_t Context(uint64_t offset) const;

  int num_bits_;
  int context_bits_;
  uint32_t twice_range_;
  uint64_t period_;
  std::vector<AdaptiveBit> plain_;
  std::vector<AdaptiveBit> by_context_;
  // 1 more than the symbol at each offset of the line, behind kPadding zeros; 0
  // where there is none. So for the line before, which only a scan without a
  // period needs.
  std::vector<uint16_t> current_, previous_;
  std::vector<uint32_t> offsets_, previous_offsets_;
};

// Bytes of values of which the bytes before are known.
class PlaneModel {
 public:
  PlaneModel() : high_(size_t{256} << kHighBits), plain_(256) {}

  template <typename Coder>
  uint32_t Code(Coder* coder, uint32_t byte_before, uint32_t byte) {
    AdaptiveBit* high = &high_[size_t{byte_before} << kHighBits];
    uint32_t node = 1;
    for (int place = 7; place >= 0; --place) {
      const int bit = static_cast<int>(byte >> place & 1);
      AdaptiveBit& adaptive =
          node >> kHighBits == 0 ? high[node] : plain_[node];
      node = node << 1 | static_cast<uint32_t>(adaptive.Code(coder, bit));
    }
    return node - 256;
  }

 private:
  static constexpr int kHighBits = 3;

  std::vector<AdaptiveBit> high_;
  std::vector<AdaptiveBit> plain_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_SYMBOL_MODEL_H_
