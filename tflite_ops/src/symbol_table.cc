#include "symbol_table.h"

namespace keras_dc {

std::vector<SymbolEntry> MakeSymbolTable(const CodeLengths& lengths,
                                         int num_bits) {
  const size_t size = size_t{1} << num_bits;
  std::vector<uint8_t> symbol(size), length(size);
  const std::vector<Code> codes = CanonicalCodes(lengths);
  for (size_t s = 0; s < codes.size(); ++s) {
    if (codes[s].length == 0) continue;
    const size_t step = size_t{1} << codes[s].length;
    for (size_t bits = codes[s].bits; bits < size; bits += step) {
      symbol[bits] = static_cast<uint8_t>(s);
      length[bits] = codes[s].length;
    }
  }
  // No branches: which codes fit is as good as random. Symbols that do not fit
  // stay in the entry, uncounted.
  std::vector<SymbolEntry> table(size);
  const auto limit = static_cast<uint32_t>(num_bits);
  for (size_t bits = 0; bits < size; ++bits) {
    const uint32_t end_1 = length[bits];
    const size_t rest_1 = bits >> end_1;
    const uint32_t end_2 = end_1 + length[rest_1];
    const size_t rest_2 = bits >> end_2;
    const uint32_t end_3 = end_2 + length[rest_2];
    const uint32_t fits_2 = end_2 <= limit;
    const uint32_t fits_3 = end_3 <= limit;
    const uint32_t end =
        end_1 + fits_2 * (end_2 - end_1 + fits_3 * (end_3 - end_2));
    const uint32_t symbols = symbol[bits] | uint32_t{symbol[rest_1]} << 8 |
                             uint32_t{symbol[rest_2]} << 16;
    table[bits] = MakeSymbolEntry(symbols, end, 1 + fits_2 + fits_3);
  }
  return table;
}

}  // namespace keras_dc
