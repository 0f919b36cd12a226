// Decodes Huffman streams, several of them side by side (FORMAT.md, 5 and 6).
#ifndef KERAS_DC_SRC_DECODE_SYMBOL_DECODER_H_
#define KERAS_DC_SRC_DECODE_SYMBOL_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/bit_stream.h"
#include "common/huffman.h"
#include "decode/symbol_lanes.h"
#include "decode/symbol_table.h"

namespace keras_dc {

// The decoder of one code.
class SymbolDecoder {
 public:
  // `lengths` is a complete code, and must outlive this. `num_symbols`, about
  // as many as are to be decoded, decides the size of the table.
  SymbolDecoder(const CodeLengths& lengths, size_t num_symbols);

  // Decodes each lane up to its `out_end`, and moves its `bit` behind the last
  // symbol. KDC_BAD_STREAM if its bytes end before.
  kdc_status Run(std::vector<SymbolLane>* lanes) const;

  // A lone symbol takes no bits.
  bool is_lone() const { return table_.empty(); }

 private:
  void RunSideBySide(std::vector<SymbolLane>* lanes) const;
  // Decodes symbol by symbol, and checks both ends at each.
  kdc_status RunToEnd(SymbolLane* lane) const;

  const CodeLengths& lengths_;
  uint8_t lone_symbol_ = 0;
  int table_bits_ = 0;
  std::vector<SymbolEntry> table_;
};

// Decodes `num_symbols` symbols, a byte each, which are divided among `streams`
// (FORMAT.md, 6). `lengths` is a complete code. KDC_BAD_STREAM unless every
// stream ends just where its symbols do.
kdc_status DecodeSymbols(const CodeLengths& lengths,
                         const std::vector<ByteRange>& streams,
                         size_t num_symbols, uint8_t* symbols);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SYMBOL_DECODER_H_
