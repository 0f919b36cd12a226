// Reads Huffman-coded symbols one by one, with little memory: a code takes a
// byte for each of its symbols, and a look-up a step for each bit.
#ifndef KERAS_DC_SRC_DECODE_SMALL_SYMBOL_CURSOR_H_
#define KERAS_DC_SRC_DECODE_SMALL_SYMBOL_CURSOR_H_

#include <cstddef>
#include <cstdint>

#include "common/bit_stream.h"
#include "common/format.h"
#include "decode/small/arena.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// A canonical code (FORMAT.md, 5): its symbols by ascending code, and how many
// of them have a code of each length.
class SmallCode {
 public:
  // Reads a table of `alphabet` symbols. KDC_OUT_OF_MEMORY if `arena` is too
  // small.
  kdc_status Open(ByteReader* reader, size_t alphabet, Arena* arena);

  uint8_t Next(BitReader* bits) const;

 private:
  const uint8_t* symbols_ = nullptr;
  // By length; element 0 is 1 for a lone symbol, whose code has no bits.
  uint16_t counts_[kMaxCodeLength + 1] = {};
};

// Symbols that are divided among streams (FORMAT.md, 6), from first to last.
class SymbolCursor {
 public:
  // Reads the code.
  kdc_status Open(ByteReader* reader, size_t alphabet, size_t num_symbols,
                  Arena* arena);
  // The streams, which follow each other in memory. To be called once.
  void Begin(const ByteRange* streams, int num_streams);

  // The next symbol. No more may be asked for than there are.
  kdc_status Next(uint8_t* symbol);

  // Behind the last symbol: that all streams end there.
  kdc_status Finish();

 private:
  // Ends the stream, and begins the next one.
  kdc_status NextStream();

  SmallCode code_;
  BitReader bits_{nullptr, 0};
  const uint8_t* end_ = nullptr;  // of the stream
  size_t num_left_ = 0;           // in the stream
  size_t num_symbols_ = 0;        // in all streams
  size_t sizes_[kMaxStreams] = {};
  int num_streams_ = 0;
  int stream_ = -1;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SMALL_SYMBOL_CURSOR_H_
