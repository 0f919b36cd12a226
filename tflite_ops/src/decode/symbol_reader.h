// Reads Huffman streams in parts (FORMAT.md, 6): finds where each part begins,
// and decodes any of them.
#ifndef KERAS_DC_SRC_DECODE_SYMBOL_READER_H_
#define KERAS_DC_SRC_DECODE_SYMBOL_READER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/format.h"
#include "decode/symbol_decoder.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// Reads the streams of `num_symbols` symbols one after the other.
class SymbolReader {
 public:
  // The most symbols that are read at once.
  static constexpr size_t kChunk = 1024;

  SymbolReader(const CodeLengths& lengths,
               const std::vector<ByteRange>& streams, size_t num_symbols);

  // The number of the symbol behind the current stream's last one, and the bit
  // at which the next symbol begins in that stream.
  size_t stream_end() const { return range_.end; }
  size_t bit() const { return lanes_[0].bit; }

  // Moves to the next stream that has symbols; `*is_done` is true if there is
  // none. To be called before the first symbol and at the end of each stream.
  kdc_status NextStream(bool* is_done);

  // Reads `size` symbols of the stream.
  kdc_status Read(size_t size);
  const uint8_t* symbols() const { return chunk_.data(); }

 private:
  bool IsAtCleanEnd() const;

  SymbolDecoder decoder_;
  const std::vector<ByteRange>& streams_;
  size_t num_symbols_;
  std::vector<uint8_t> chunk_;
  std::vector<SymbolLane> lanes_;
  SymbolRange range_;
  int next_ = 0;
};

// Finds the bit at which each of the symbols `firsts` begins in its stream;
// `firsts` ascends. Checks all streams.
kdc_status FindBits(const CodeLengths& lengths,
                    const std::vector<ByteRange>& streams, size_t num_symbols,
                    const std::vector<size_t>& firsts,
                    std::vector<size_t>* bits);

// Appends lanes for the symbols [begin, end) of `num_symbols`. The first one
// begins at `bit` of its stream.
void AddLanes(const std::vector<ByteRange>& streams, size_t num_symbols,
              size_t begin, size_t end, size_t bit, uint8_t* out,
              std::vector<SymbolLane>* lanes);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SYMBOL_READER_H_
