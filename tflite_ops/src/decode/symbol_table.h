// Look-up tables of Huffman codes that give several symbols at once (FORMAT.md,
// 5).
#ifndef KERAS_DC_SRC_DECODE_SYMBOL_TABLE_H_
#define KERAS_DC_SRC_DECODE_SYMBOL_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/format.h"
#include "common/huffman.h"

namespace keras_dc {

// The entry for a pattern of the next bits: up to three symbols whose codes lie
// wholly in the pattern. From the lowest bit on: how many bits the codes take
// (6 bits, the ones that a shift uses), the symbols (8 bits each, the first one
// lowest), the number of symbols (2 bits).
using SymbolEntry = uint32_t;

inline constexpr uint32_t kMaxSymbolsPerEntry = 3;
// One bit more than the longest code, so that three short codes fit more often;
// the table takes 32 KB.
inline constexpr int kMaxTableBits = kMaxCodeLength + 1;

constexpr int kEntrySymbolsShift = 6;
constexpr int kEntryCountShift = 30;

constexpr SymbolEntry MakeSymbolEntry(uint32_t symbols, uint32_t num_bits,
                                      uint32_t num_symbols) {
  return num_bits | symbols << kEntrySymbolsShift |
         num_symbols << kEntryCountShift;
}
constexpr uint32_t EntryBits(SymbolEntry entry) { return entry & 0x3f; }
constexpr uint32_t EntryCount(SymbolEntry entry) {
  return entry >> kEntryCountShift;
}
// The symbols in the lower three bytes; the upper byte has no meaning.
constexpr uint32_t EntrySymbols(SymbolEntry entry) {
  return entry >> kEntrySymbolsShift;
}

// The table of a complete code of at least two symbols. It has entries for
// patterns of `num_bits` bits, at least as many as the longest code and at most
// kMaxTableBits.
std::vector<SymbolEntry> MakeSymbolTable(const CodeLengths& lengths,
                                         int num_bits);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SYMBOL_TABLE_H_
