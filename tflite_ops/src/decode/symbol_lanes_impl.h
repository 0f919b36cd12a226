// The rounds of symbol_lanes.h, included by each file that is compiled for
// certain instructions. All of it is local to the file.
#ifndef KERAS_DC_SRC_DECODE_SYMBOL_LANES_IMPL_H_
#define KERAS_DC_SRC_DECODE_SYMBOL_LANES_IMPL_H_

#include "common/bit_stream.h"
#include "decode/symbol_lanes.h"

namespace keras_dc {
namespace {

// The state of a lane within a round.
struct Head {
  uint64_t word;  // the bits that are left, below a bit that marks their end
  uint8_t* out;
};

constexpr uint64_t kMark = uint64_t{1} << 63;

inline Head Begin(const SymbolLane& lane) {
  const uint64_t word = LoadU64(lane.bytes + (lane.bit >> 3));
  return {word >> (lane.bit & 7) | kMark, lane.out};
}

inline void LookUp(const SymbolEntry* table, uint64_t mask, Head* head) {
  const SymbolEntry entry = table[head->word & mask];
  head->word >>= EntryBits(entry);
  StoreU32(EntrySymbols(entry), head->out);
  head->out += EntryCount(entry);
}

inline void End(const Head& head, SymbolLane* lane) {
  lane->bit += LeadingZeros(head.word);
  lane->out = head.out;
}

inline void RunOne(const SymbolEntry* table, uint64_t mask, SymbolLane* lane) {
  Head head = Begin(*lane);
  for (size_t i = 0; i < kLookupsPerRound; ++i) LookUp(table, mask, &head);
  End(head, lane);
}

// The look-ups of four lanes take turns, which hides their latency. The state
// of more lanes would not fit the registers.
inline void RunFour(const SymbolEntry* table, uint64_t mask,
                    SymbolLane* lanes) {
  Head a = Begin(lanes[0]), b = Begin(lanes[1]);
  Head c = Begin(lanes[2]), d = Begin(lanes[3]);
  for (size_t i = 0; i < kLookupsPerRound; ++i) {
    LookUp(table, mask, &a);
    LookUp(table, mask, &b);
    LookUp(table, mask, &c);
    LookUp(table, mask, &d);
  }
  End(a, &lanes[0]);
  End(b, &lanes[1]);
  End(c, &lanes[2]);
  End(d, &lanes[3]);
}

inline void RunAllLanes(const SymbolEntry* table, int table_bits,
                        SymbolLane* lanes, size_t num_lanes, size_t rounds) {
  const uint64_t mask = (uint64_t{1} << table_bits) - 1;
  for (; rounds > 0; --rounds) {
    size_t i = 0;
    for (; i + 4 <= num_lanes; i += 4) RunFour(table, mask, lanes + i);
    for (; i < num_lanes; ++i) RunOne(table, mask, lanes + i);
  }
}

}  // namespace
}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SYMBOL_LANES_IMPL_H_
