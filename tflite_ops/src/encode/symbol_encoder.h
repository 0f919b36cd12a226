// Writes Huffman streams (FORMAT.md, 5 and 6). The inverse of the symbol
// decoder.
#ifndef KERAS_DC_SRC_ENCODE_SYMBOL_ENCODER_H_
#define KERAS_DC_SRC_ENCODE_SYMBOL_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/huffman.h"

namespace keras_dc {

// log2 of the number of streams that `num_symbols` symbols are divided into.
int LogStreams(size_t num_symbols);

// Appends the streams of `symbols` to `streams`. Every symbol that occurs has a
// length.
void EncodeStreams(const std::vector<uint8_t>& symbols,
                   const CodeLengths& lengths, int num_streams,
                   std::vector<std::vector<uint8_t>>* streams);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_SYMBOL_ENCODER_H_
