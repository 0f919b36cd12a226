#include "decode/symbol_reader.h"

#include <algorithm>

#include "common/bit_stream.h"
#include "common/return_if_error.h"

namespace keras_dc {
namespace {

SymbolLane LaneOf(const ByteRange& stream, size_t bit) {
  SymbolLane lane;
  lane.bytes = stream.bytes;
  lane.size = stream.size;
  lane.bit = bit;
  return lane;
}

}  // namespace

SymbolReader::SymbolReader(const CodeLengths& lengths,
                           const std::vector<ByteRange>& streams,
                           size_t num_symbols)
    : decoder_(lengths, num_symbols),
      streams_(streams),
      num_symbols_(num_symbols),
      chunk_(kChunk),
      lanes_(1) {}

kdc_status SymbolReader::NextStream(bool* is_done) {
  for (;;) {
    if (next_ > 0 && !IsAtCleanEnd()) return KDC_BAD_STREAM;
    *is_done = next_ == static_cast<int>(streams_.size());
    if (*is_done) return KDC_OK;
    range_ =
        StreamRange(num_symbols_, static_cast<int>(streams_.size()), next_);
    lanes_[0] = LaneOf(streams_[static_cast<size_t>(next_++)], 0);
    if (range_.begin < range_.end) return KDC_OK;
  }
}

kdc_status SymbolReader::Read(size_t size) {
  lanes_[0].out = chunk_.data();
  lanes_[0].out_end = chunk_.data() + size;
  return decoder_.Run(&lanes_);
}

bool SymbolReader::IsAtCleanEnd() const {
  BitReader reader(lanes_[0].bytes, lanes_[0].size);
  reader.Seek(lanes_[0].bit);
  return reader.AtCleanEnd();
}

kdc_status FindBits(const CodeLengths& lengths,
                    const std::vector<ByteRange>& streams, size_t num_symbols,
                    const std::vector<size_t>& firsts,
                    std::vector<size_t>* bits) {
  SymbolReader reader(lengths, streams, num_symbols);
  bits->assign(firsts.size(), 0);
  size_t next = 0, symbol = 0;
  bool is_done = false;
  kdc_status status = reader.NextStream(&is_done);
  while (status == KDC_OK && !is_done) {
    for (; next < firsts.size() && firsts[next] == symbol; ++next) {
      (*bits)[next] = reader.bit();
    }
    const size_t stop = next < firsts.size() ? firsts[next] : num_symbols;
    const size_t size = std::min(
        {SymbolReader::kChunk, reader.stream_end() - symbol, stop - symbol});
    KDC_RETURN_IF_ERROR(reader.Read(size));
    symbol += size;
    if (symbol == reader.stream_end()) status = reader.NextStream(&is_done);
  }
  return status;
}

void AddLanes(const std::vector<ByteRange>& streams, size_t num_symbols,
              size_t begin, size_t end, size_t bit, uint8_t* out,
              std::vector<SymbolLane>* lanes) {
  const auto num_streams = static_cast<int>(streams.size());
  for (int i = 0; i < num_streams && begin < end; ++i) {
    const SymbolRange range = StreamRange(num_symbols, num_streams, i);
    if (begin >= range.end) continue;
    SymbolLane lane = LaneOf(streams[static_cast<size_t>(i)], bit);
    const size_t size = std::min(end, range.end) - begin;
    lane.out = out;
    lane.out_end = out += size;
    lanes->push_back(lane);
    begin += size;
    bit = 0;
  }
}

}  // namespace keras_dc
