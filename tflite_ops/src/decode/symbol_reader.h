// Reads Huffman streams in parts (FORMAT.md, 6): one part after the other, to
// find out where each begins, or any of them.
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
  // Symbols that are read at a time, at the most.
  static constexpr size_t kChunk = 1024;

  SymbolReader(const CodeLengths& lengths,
               const std::vector<ByteRange>& streams, size_t num_symbols);

  // Where the next symbol is: its stream's end, and its bit there.
  size_t stream_end() const { return range_.end; }
  size_t bit() const { return lanes_[0].bit; }

  // To be called at the end of each stream, and first of all. Finds the next
  // one that has symbols; `*is_done` if there is none.
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

// The bit at which each of the symbols `firsts`, which ascend, begins in its
// stream. Checks all streams.
kdc_status FindBits(const CodeLengths& lengths,
                    const std::vector<ByteRange>& streams, size_t num_symbols,
                    const std::vector<size_t>& firsts,
                    std::vector<size_t>* bits);

// Adds lanes for the symbols from `begin` to `end`, of `num_symbols` in all;
// `bit` is that of the first one.
void AddLanes(const std::vector<ByteRange>& streams, size_t num_symbols,
              size_t begin, size_t end, size_t bit, uint8_t* out,
              std::vector<SymbolLane>* lanes);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SYMBOL_READER_H_
