#include "encode/symbol_encoder.h"

#include <utility>

#include "common/bit_stream.h"
#include "common/format.h"

namespace keras_dc {
namespace {

// From these numbers of symbols on there are four and eight streams, which
// decode side by side. The sizes of the streams then take less than a byte in a
// thousand.
constexpr size_t kSymbolsForFour = 1 << 14;
constexpr size_t kSymbolsForEight = 1 << 16;

}  // namespace

int LogStreams(size_t num_symbols) {
  if (num_symbols < kSymbolsForFour) return 0;
  return num_symbols < kSymbolsForEight ? 2 : 3;
}

void EncodeStreams(const std::vector<uint8_t>& symbols,
                   const CodeLengths& lengths, int num_streams,
                   std::vector<std::vector<uint8_t>>* streams) {
  const std::vector<Code> codes = CanonicalCodes(lengths);
  for (int i = 0; i < num_streams; ++i) {
    const SymbolRange range = StreamRange(symbols.size(), num_streams, i);
    std::vector<uint8_t> stream;
    BitWriter writer(&stream);
    for (size_t j = range.begin; j < range.end; ++j) {
      const Code code = codes[symbols[j]];
      writer.Write(code.bits, code.length);
    }
    writer.Flush();
    streams->push_back(std::move(stream));
  }
}

}  // namespace keras_dc
