#include "decode/symbol_table.h"

#include <algorithm>

namespace keras_dc {
namespace {

struct CodedSymbol {
  uint32_t symbol = 0;
  uint32_t bits = 0;
  uint32_t length = 0;
};

// The shortest codes first.
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

// The entries of all patterns of `num_bits`: the symbol whose code they begin
// with becomes the `place`-th one, and what is left of them adds its own from
// `rest`, where the entries of patterns of k bits lie from 2^k on. Patterns
// that are no whole code keep their zeros.
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
  // From the last symbol of an entry to the first. What is left for one is as
  // short as the symbols before it, all with the shortest code, leave it.
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
