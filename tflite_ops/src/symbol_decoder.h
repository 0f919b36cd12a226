// Decodes Huffman streams, several side by side (FORMAT.md, 5 and 6).
#ifndef KERAS_DC_SRC_SYMBOL_DECODER_H_
#define KERAS_DC_SRC_SYMBOL_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "huffman.h"

namespace keras_dc {

// A run of bytes inside a blob.
struct ByteRange {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
};

// Decodes `num_symbols` symbols of one byte each, spread over `streams` as
// FORMAT.md, 6 says. Every stream must end just where its symbols do, else
// KDC_BAD_STREAM. `lengths` is a complete code.
kdc_status DecodeSymbols(const CodeLengths& lengths,
                         const std::vector<ByteRange>& streams,
                         size_t num_symbols, uint8_t* symbols);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_SYMBOL_DECODER_H_
