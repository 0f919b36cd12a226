// Length-limited canonical Huffman codes and their tables (FORMAT.md, 5).
#ifndef KERAS_DC_SRC_COMMON_HUFFMAN_H_
#define KERAS_DC_SRC_COMMON_HUFFMAN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/bit_stream.h"
#include "common/code_table.h"
#include "common/format.h"

namespace keras_dc {

// Code lengths in bits by symbol, 0 for a symbol that does not occur. A lone
// symbol has length 1 in the table and takes no bits in the stream.
using CodeLengths = std::vector<uint8_t>;

// The code of a symbol, its first bit lowest.
struct Code {
  uint16_t bits = 0;
  uint8_t length = 0;
};

// Lengths of an optimal code with at most kMaxCodeLength bits a symbol
// (package-merge: Larmore and Hirschberg 1990). `histogram` counts at most 256
// symbols.
CodeLengths OptimalCodeLengths(const std::vector<uint64_t>& histogram);

// Canonical codes, in order of length, then of symbol. The code of a lone
// symbol has no bits.
std::vector<Code> CanonicalCodes(const CodeLengths& lengths);

// Size in bits of a stream with this histogram. Each symbol that occurs has a
// length.
uint64_t StreamBits(const std::vector<uint64_t>& histogram,
                    const CodeLengths& lengths);

// Appends the table of `lengths`, padded to a whole byte.
void WriteCodeLengths(const CodeLengths& lengths, std::vector<uint8_t>* bytes);

// Reads a table of `lengths->size()` symbols: see code_table.h.
inline kdc_status ReadCodeLengths(ByteReader* reader, CodeLengths* lengths) {
  return ReadCodeLengths(reader, lengths->size(), lengths->data());
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_HUFFMAN_H_
