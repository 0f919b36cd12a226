// Decodes Huffman streams, several side by side (FORMAT.md, 5 and 6).
#ifndef KERAS_DC_SRC_DECODE_SYMBOL_DECODER_H_
#define KERAS_DC_SRC_DECODE_SYMBOL_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/huffman.h"
#include "decode/symbol_lanes.h"
#include "decode/symbol_table.h"

namespace keras_dc {

// A run of bytes inside a blob.
struct ByteRange {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
};

// A code that is ready to decode.
class SymbolDecoder {
 public:
  // `lengths` is a complete code, and outlives this; `num_symbols` of it are
  // to be decoded, more or less.
  SymbolDecoder(const CodeLengths& lengths, size_t num_symbols);

  // Decodes each lane up to its `out_end`, and leaves it behind its last
  // symbol. KDC_BAD_STREAM if its bytes end before.
  kdc_status Run(std::vector<SymbolLane>* lanes) const;

  // A lone symbol takes no bits.
  bool is_lone() const { return table_.empty(); }

 private:
  void RunSideBySide(std::vector<SymbolLane>* lanes) const;
  // Symbol by symbol with every end checked.
  kdc_status RunToEnd(SymbolLane* lane) const;

  const CodeLengths& lengths_;
  uint8_t lone_symbol_ = 0;
  int table_bits_ = 0;
  std::vector<SymbolEntry> table_;
};

// Decodes `num_symbols` symbols of one byte each, spread over `streams` as
// FORMAT.md, 6 says. Every stream must end just where its symbols do, else
// KDC_BAD_STREAM. `lengths` is a complete code.
kdc_status DecodeSymbols(const CodeLengths& lengths,
                         const std::vector<ByteRange>& streams,
                         size_t num_symbols, uint8_t* symbols);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SYMBOL_DECODER_H_
