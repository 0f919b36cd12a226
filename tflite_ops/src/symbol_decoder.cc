#include "symbol_decoder.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "bit_stream.h"
#include "format.h"
#include "symbol_lanes.h"
#include "symbol_table.h"

namespace keras_dc {
namespace {

// Below this many symbols a table of the shortest width pays.
constexpr size_t kManySymbols = 1 << 13;

int TableBits(const CodeLengths& lengths, size_t num_symbols) {
  if (num_symbols >= kManySymbols) return kMaxTableBits;
  return *std::max_element(lengths.begin(), lengths.end());
}

// Decodes all lanes side by side until each is near an end.
void DecodeSideBySide(const std::vector<SymbolEntry>& table, int table_bits,
                      std::vector<SymbolLane>* lanes) {
  std::vector<SymbolLane> running = *lanes;
  std::vector<size_t> place(running.size());
  std::iota(place.begin(), place.end(), size_t{0});
  while (!running.empty()) {
    size_t rounds = std::numeric_limits<size_t>::max();
    for (size_t i = 0; i < running.size();) {
      const size_t safe = running[i].SafeRounds();
      if (safe > 0) {
        rounds = std::min(rounds, safe);
        ++i;
        continue;
      }
      (*lanes)[place[i]] = running[i];
      running[i] = running.back();
      place[i] = place.back();
      running.pop_back();
      place.pop_back();
    }
    if (running.empty()) return;
    RunLanes(table.data(), table_bits, running.data(), running.size(), rounds);
  }
}

// The rest of a stream, symbol by symbol with every end checked.
kdc_status DecodeTail(const std::vector<SymbolEntry>& table, int table_bits,
                      const CodeLengths& lengths, const SymbolLane& lane) {
  BitReader reader(lane.bytes, lane.size);
  reader.Seek(lane.bit);
  for (uint8_t* out = lane.out; out < lane.out_end; ++out) {
    const SymbolEntry entry = table[reader.Peek(table_bits)];
    *out = static_cast<uint8_t>(EntrySymbols(entry));
    reader.Skip(lengths[*out]);
    if (reader.overrun()) return KDC_BAD_STREAM;
  }
  return reader.AtCleanEnd() ? KDC_OK : KDC_BAD_STREAM;
}

// A lone symbol takes no bits: its streams are empty.
kdc_status RepeatLoneSymbol(size_t symbol,
                            const std::vector<ByteRange>& streams,
                            size_t num_symbols, uint8_t* symbols) {
  for (const ByteRange& stream : streams) {
    if (stream.size != 0) return KDC_BAD_STREAM;
  }
  std::memset(symbols, static_cast<int>(symbol), num_symbols);
  return KDC_OK;
}

}  // namespace

kdc_status DecodeSymbols(const CodeLengths& lengths,
                         const std::vector<ByteRange>& streams,
                         size_t num_symbols, uint8_t* symbols) {
  const auto is_present = [](uint8_t length) { return length != 0; };
  if (std::count_if(lengths.begin(), lengths.end(), is_present) == 1) {
    const auto lone = std::find_if(lengths.begin(), lengths.end(), is_present);
    return RepeatLoneSymbol(static_cast<size_t>(lone - lengths.begin()),
                            streams, num_symbols, symbols);
  }
  const int table_bits = TableBits(lengths, num_symbols);
  const std::vector<SymbolEntry> table = MakeSymbolTable(lengths, table_bits);
  const auto num_streams = static_cast<int>(streams.size());
  std::vector<SymbolLane> lanes(streams.size());
  for (int i = 0; i < num_streams; ++i) {
    const SymbolRange range = StreamRange(num_symbols, num_streams, i);
    SymbolLane& lane = lanes[static_cast<size_t>(i)];
    lane.bytes = streams[static_cast<size_t>(i)].bytes;
    lane.size = streams[static_cast<size_t>(i)].size;
    lane.out = symbols + range.begin;
    lane.out_end = symbols + range.end;
  }
  DecodeSideBySide(table, table_bits, &lanes);
  for (const SymbolLane& lane : lanes) {
    const kdc_status status = DecodeTail(table, table_bits, lengths, lane);
    if (status != KDC_OK) return status;
  }
  return KDC_OK;
}

}  // namespace keras_dc
