// Look-up tables of Huffman codes: several symbols at once (FORMAT.md, 5).
#ifndef KERAS_DC_SRC_DECODE_SYMBOL_TABLE_H_
#define KERAS_DC_SRC_DECODE_SYMBOL_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/format.h"
#include "common/huffman.h"

namespace keras_dc {

// An entry for each pattern of the next bits: up to three symbols whose codes
// lie wholly within them. From the lowest bit on: how many bits these take (6
// bits, since a shift looks at 6), the symbols (8 bits each, the first lowest),
// how many they are (2 bits).
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
// The symbols in the lower three bytes; the upper one is no matter.
constexpr uint32_t EntrySymbols(SymbolEntry entry) {
  return entry >> kEntrySymbolsShift;
}

// The table of a complete code of two symbols or more, with entries for
// patterns of `num_bits`, from kMaxCodeLength to kMaxTableBits.
std::vector<SymbolEntry> MakeSymbolTable(const CodeLengths& lengths,
                                         int num_bits);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SYMBOL_TABLE_H_
