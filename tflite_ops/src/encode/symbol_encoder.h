// Writes Huffman streams (FORMAT.md, 5 and 6). The inverse of symbol_decoder.h.
#ifndef KERAS_DC_SRC_ENCODE_SYMBOL_ENCODER_H_
#define KERAS_DC_SRC_ENCODE_SYMBOL_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/huffman.h"

namespace keras_dc {

// Streams that this many symbols of a kind are divided into, as a power of two.
int LogStreams(size_t num_symbols);

// Appends the streams of `symbols` to `streams`, one vector each. Every symbol
// has a length.
void EncodeStreams(const std::vector<uint8_t>& symbols,
                   const CodeLengths& lengths, int num_streams,
                   std::vector<std::vector<uint8_t>>* streams);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_SYMBOL_ENCODER_H_
