#include "decode/symbol_table.h"

#include <algorithm>

namespace keras_dc {
namespace {

struct CodedSymbol {
  uint32_t symbol = 0;
  uint32_t bits = 0;
  uint32_t length = 0;
};

// Codes, the shortest first.
std::vector<CodedSymbol> SortedCodes(const CodeLengths& lengths) {
  const std::vector<Code> codes = CanonicalCodes(lengths);
  std::vector<CodedSymbol> sorted;
  for (size_t s = 0; s < codes.size(); ++s) {
    if (codes[s].length == 0) continue;
    sorted.push_back(
        {static_cast<uint32_t>(s), codes[s].bits, codes[s].length});
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const CodedSymbol& a, const CodedSymbol& b) {
                     return a.length < b.length;
                   });
  return sorted;
}

// Fills the entries of all patterns of `num_bits` bits. The symbol whose code a
// pattern begins with becomes symbol `place` of the entry; the bits behind it
// add their entry in `rest`, where entries of patterns of k bits begin at 2^k.
// Entries of patterns that hold no whole code stay 0.
void Prepend(const std::vector<CodedSymbol>& codes, int num_bits,
             uint32_t place, const std::vector<SymbolEntry>& rest,
             SymbolEntry* entries) {
  for (const CodedSymbol& code : codes) {
    if (code.length > static_cast<uint32_t>(num_bits)) return;
    const SymbolEntry entry =
        MakeSymbolEntry(code.symbol << (8 * place), code.length, 1);
    const size_t num_rests = size_t{1}
                             << (static_cast<uint32_t>(num_bits) - code.length);
    for (size_t i = 0; i < num_rests; ++i) {
      entries[code.bits | i << code.length] = entry + rest[num_rests + i];
    }
  }
}

}  // namespace

std::vector<SymbolEntry> MakeSymbolTable(const CodeLengths& lengths,
                                         int num_bits) {
  const std::vector<CodedSymbol> codes = SortedCodes(lengths);
  const size_t size = size_t{1} << num_bits;
  // From the last symbol of an entry to the first. The symbols before `place`
  // take at least the bits of the shortest code each.
  std::vector<SymbolEntry> rest(size);
  for (uint32_t place = kMaxSymbolsPerEntry - 1; place > 0; --place) {
    std::vector<SymbolEntry> longer(size);
    const int most_bits =
        num_bits - static_cast<int>(place * codes.front().length);
    for (int k = 1; k <= most_bits; ++k) {
      Prepend(codes, k, place, rest, &longer[size_t{1} << k]);
    }
    rest.swap(longer);
  }
  std::vector<SymbolEntry> table(size);
  Prepend(codes, num_bits, 0, rest, table.data());
  return table;
}

}  // namespace keras_dc
