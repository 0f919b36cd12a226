#include "decode/symbol_decoder.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "common/bit_stream.h"
#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/symbol_lanes.h"
#include "decode/symbol_table.h"

namespace keras_dc {
namespace {

// For fewer symbols the smallest table pays, which is made the fastest.
constexpr size_t kManySymbols = 1 << 13;

int TableBits(const CodeLengths& lengths, size_t num_symbols) {
  if (num_symbols >= kManySymbols) return kMaxTableBits;
  return *std::max_element(lengths.begin(), lengths.end());
}

}  // namespace

SymbolDecoder::SymbolDecoder(const CodeLengths& lengths, size_t num_symbols)
    : lengths_(lengths) {
  const auto is_present = [](uint8_t length) { return length != 0; };
  if (std::count_if(lengths.begin(), lengths.end(), is_present) == 1) {
    const auto lone = std::find_if(lengths.begin(), lengths.end(), is_present);
    lone_symbol_ = static_cast<uint8_t>(lone - lengths.begin());
    return;
  }
  table_bits_ = TableBits(lengths, num_symbols);
  table_ = MakeSymbolTable(lengths, table_bits_);
}

kdc_status SymbolDecoder::Run(std::vector<SymbolLane>* lanes) const {
  if (!is_lone()) RunSideBySide(lanes);
  for (SymbolLane& lane : *lanes) {
    if (is_lone()) {
      std::fill(lane.out, lane.out_end, lone_symbol_);
      lane.out = lane.out_end;
      continue;
    }
    KDC_RETURN_IF_ERROR(RunToEnd(&lane));
  }
  return KDC_OK;
}

// Runs all lanes until each of them is near an end.
void SymbolDecoder::RunSideBySide(std::vector<SymbolLane>* lanes) const {
  for (size_t i = 0; i + kLanesAtOnce <= lanes->size(); i += kLanesAtOnce) {
    RunEightLanes(table_.data(), table_bits_, lanes->data() + i);
  }
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
    RunLanes(table_.data(), table_bits_, running.data(), running.size(),
             rounds);
  }
}

kdc_status SymbolDecoder::RunToEnd(SymbolLane* lane) const {
  BitReader reader(lane->bytes, lane->size);
  reader.Seek(lane->bit);
  for (; lane->out < lane->out_end; ++lane->out) {
    const SymbolEntry entry = table_[reader.Peek(table_bits_)];
    *lane->out = static_cast<uint8_t>(EntrySymbols(entry));
    reader.Skip(lengths_[*lane->out]);
    if (reader.overrun()) return KDC_BAD_STREAM;
  }
  lane->bit = reader.position();
  return KDC_OK;
}

kdc_status DecodeSymbols(const CodeLengths& lengths,
                         const std::vector<ByteRange>& streams,
                         size_t num_symbols, uint8_t* symbols) {
  const SymbolDecoder decoder(lengths, num_symbols);
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
  KDC_RETURN_IF_ERROR(decoder.Run(&lanes));
  for (const SymbolLane& lane : lanes) {
    BitReader reader(lane.bytes, lane.size);
    reader.Seek(lane.bit);
    if (!reader.AtCleanEnd()) return KDC_BAD_STREAM;
  }
  return KDC_OK;
}

}  // namespace keras_dc
