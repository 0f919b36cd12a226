// Length-limited canonical Huffman codes and their tables (FORMAT.md, 5).
#ifndef KERAS_DC_SRC_COMMON_HUFFMAN_H_
#define KERAS_DC_SRC_COMMON_HUFFMAN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/bit_stream.h"
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

// The lengths of a code that is optimal among those of at most kMaxCodeLength
// bits (package-merge: Larmore and Hirschberg 1990). `histogram` has at most
// 256 symbols.
CodeLengths OptimalCodeLengths(const std::vector<uint64_t>& histogram);

// Canonical codes: shorter ones first, then by symbol. All zero bits long for a
// lone symbol.
std::vector<Code> CanonicalCodes(const CodeLengths& lengths);

// Bits of a stream with this histogram; every symbol of it has a length.
uint64_t StreamBits(const std::vector<uint64_t>& histogram,
                    const CodeLengths& lengths);

// Appends the table of `lengths`, filled to a whole byte.
void WriteCodeLengths(const CodeLengths& lengths, std::vector<uint8_t>* bytes);

// Reads a table of `lengths->size()` symbols and checks that it is a complete
// code. Returns KDC_OK, KDC_TRUNCATED or KDC_BAD_CODE_TABLE.
kdc_status ReadCodeLengths(ByteReader* reader, CodeLengths* lengths);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_HUFFMAN_H_
