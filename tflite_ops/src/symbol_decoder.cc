#include "symbol_decoder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "bit_stream.h"
#include "format.h"

namespace keras_dc {
namespace {

// One bit more than the longest code, so that three short codes fit more often;
// the table takes 32 KB.
constexpr int kTableBits = kMaxCodeLength + 1;
constexpr size_t kTableSize = size_t{1} << kTableBits;
constexpr uint64_t kTableMask = kTableSize - 1;

// The fast loop reads 64 bits, of which at least 57 are new, makes four
// look-ups in them, and each look-up writes four bytes, of which up to three
// count.
constexpr size_t kLookupsPerRound = 4;
constexpr size_t kMaxBytesPerRound = (kLookupsPerRound * kTableBits + 7) / 8;
constexpr size_t kMaxSymbolsPerLookup = 3;
constexpr size_t kMaxSymbolsPerRound =
    kMaxSymbolsPerLookup * kLookupsPerRound + 1;
// Streams in lock-step hide the latency of one another's look-ups.
constexpr size_t kLockstep = 4;

// An entry for each pattern of the next bits: up to three symbols, the first
// lowest, whose codes lie wholly within them; above, how many bits and symbols
// these are.
using Entry = uint32_t;
using Table = std::array<Entry, kTableSize>;

constexpr int kBitsShift = 24;
constexpr int kCountShift = 28;

constexpr Entry MakeEntry(uint32_t symbols, uint32_t num_bits,
                          uint32_t num_symbols) {
  return symbols | num_bits << kBitsShift | num_symbols << kCountShift;
}
constexpr uint32_t NumBits(Entry entry) { return (entry >> kBitsShift) & 0xf; }
constexpr uint32_t NumSymbols(Entry entry) { return entry >> kCountShift; }
constexpr uint8_t FirstSymbol(Entry entry) {
  return static_cast<uint8_t>(entry);
}

// Adds one more symbol to each entry that has room for the next code.
void AddSymbols(const Table& single, Table* table) {
  for (size_t bits = 0; bits < kTableSize; ++bits) {
    const Entry entry = (*table)[bits];
    const Entry next = single[bits >> NumBits(entry)];
    const uint32_t num_bits = NumBits(entry) + NumBits(next);
    if (num_bits > static_cast<uint32_t>(kTableBits)) continue;
    const uint32_t count = NumSymbols(entry);
    const uint32_t symbols = (entry & 0xffffff) | uint32_t{FirstSymbol(next)}
                                                      << (8 * count);
    (*table)[bits] = MakeEntry(symbols, num_bits, count + 1);
  }
}

void BuildTable(const CodeLengths& lengths, Table* table) {
  const std::vector<Code> codes = CanonicalCodes(lengths);
  for (size_t symbol = 0; symbol < codes.size(); ++symbol) {
    const Code code = codes[symbol];
    if (code.length == 0) continue;
    for (size_t bits = code.bits; bits < kTableSize;
         bits += size_t{1} << code.length) {
      (*table)[bits] = MakeEntry(static_cast<uint32_t>(symbol), code.length, 1);
    }
  }
  const Table single = *table;
  for (size_t i = 1; i < kMaxSymbolsPerLookup; ++i) AddSymbols(single, table);
}

// Where one stream stands.
struct Cursor {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
  size_t bit = 0;
  uint8_t* out = nullptr;
  uint8_t* out_end = nullptr;

  // Rounds that can run without a look at either end.
  size_t SafeRounds() const {
    const size_t byte = bit >> 3;
    const size_t bytes_left = size > byte ? size - byte : 0;
    if (bytes_left < 8 + kMaxBytesPerRound) return 0;
    const auto room = static_cast<size_t>(out_end - out);
    return std::min((bytes_left - 8) / (kMaxBytesPerRound + 1),
                    room / kMaxSymbolsPerRound);
  }
};

inline void DecodeRound(const Table& table, const uint8_t* bytes, size_t* bit,
                        uint8_t** out) {
  const uint64_t loaded = LoadU64(bytes + (*bit >> 3));
  uint64_t word = loaded >> (*bit & 7);
  for (size_t i = 0; i < kLookupsPerRound; ++i) {
    const Entry entry = table[word & kTableMask];
    StoreU32(entry, *out);
    *out += NumSymbols(entry);
    word >>= NumBits(entry);
    *bit += NumBits(entry);
  }
}

void DecodeLockstep(const Table& table, Cursor* cursors) {
  for (;;) {
    size_t rounds = cursors[0].SafeRounds();
    for (size_t i = 1; i < kLockstep; ++i) {
      rounds = std::min(rounds, cursors[i].SafeRounds());
    }
    if (rounds == 0) return;
    // Local copies: the compiler cannot know that writing symbols does not
    // change the cursors.
    Cursor a = cursors[0], b = cursors[1], c = cursors[2], d = cursors[3];
    for (; rounds > 0; --rounds) {
      DecodeRound(table, a.bytes, &a.bit, &a.out);
      DecodeRound(table, b.bytes, &b.bit, &b.out);
      DecodeRound(table, c.bytes, &c.bit, &c.out);
      DecodeRound(table, d.bytes, &d.bit, &d.out);
    }
    cursors[0] = a;
    cursors[1] = b;
    cursors[2] = c;
    cursors[3] = d;
  }
}

void DecodeAlone(const Table& table, Cursor* cursor) {
  size_t rounds;
  while ((rounds = cursor->SafeRounds()) > 0) {
    Cursor local = *cursor;
    for (; rounds > 0; --rounds) {
      DecodeRound(table, local.bytes, &local.bit, &local.out);
    }
    *cursor = local;
  }
}

// The rest of a stream, symbol by symbol with every end checked.
kdc_status DecodeTail(const Table& table, const CodeLengths& lengths,
                      Cursor* cursor) {
  BitReader reader(cursor->bytes, cursor->size);
  reader.Seek(cursor->bit);
  while (cursor->out < cursor->out_end) {
    const uint8_t symbol = FirstSymbol(table[reader.Peek(kTableBits)]);
    reader.Skip(lengths[symbol]);
    if (reader.overrun()) return KDC_BAD_STREAM;
    *cursor->out++ = symbol;
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
  Table table;
  BuildTable(lengths, &table);
  const auto num_streams = static_cast<int>(streams.size());
  std::vector<Cursor> cursors(streams.size());
  for (int i = 0; i < num_streams; ++i) {
    const SymbolRange range = StreamRange(num_symbols, num_streams, i);
    Cursor& cursor = cursors[static_cast<size_t>(i)];
    cursor.bytes = streams[static_cast<size_t>(i)].bytes;
    cursor.size = streams[static_cast<size_t>(i)].size;
    cursor.out = symbols + range.begin;
    cursor.out_end = symbols + range.end;
  }
  for (size_t i = 0; i + kLockstep <= cursors.size(); i += kLockstep) {
    DecodeLockstep(table, &cursors[i]);
  }
  for (Cursor& cursor : cursors) {
    DecodeAlone(table, &cursor);
    const kdc_status status = DecodeTail(table, lengths, &cursor);
    if (status != KDC_OK) return status;
  }
  return KDC_OK;
}

}  // namespace keras_dc
