// Compiled for AVX-512 with VBMI2, whose vpcompressb moves selected bytes
// together.
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "common/bit_stream.h"
#include "decode/symbol_lanes.h"

namespace keras_dc {
namespace {

// A look-up stores the entry it finds at a place that does not depend on
// earlier look-ups. So the state of a lane is one register, eight lanes fit the
// registers, and a look-up takes four instructions. When a lane has sixteen
// entries, their symbols are moved together.
constexpr size_t kLanes = kLanesAtOnce;
constexpr size_t kEntriesPerBatch = 16;
constexpr size_t kRoundsPerBatch = kEntriesPerBatch / kLookupsPerRound;
constexpr size_t kMaxBytesPerBatch = kEntriesPerBatch * kMaxTableBits / 8;
constexpr size_t kMaxSymbolsPerBatch = kEntriesPerBatch * kMaxSymbolsPerEntry;
constexpr size_t kStoredPerBatch = 64;
constexpr size_t kBytesAhead = 512;
static_assert(kEntriesPerBatch * kMaxTableBits % 8 == 0,
              "else a batch may begin in one byte more");

constexpr uint64_t kMark = uint64_t{1} << 63;

using Entries = SymbolEntry[kLanes][kEntriesPerBatch];

// Batches that can run without a check of either end. Each begins with the word
// behind the batch before.
size_t SafeBatches(const SymbolLane& lane) {
  const size_t byte = lane.bit >> 3;
  const size_t bytes_left = lane.size > byte ? lane.size - byte : 0;
  const auto room = static_cast<size_t>(lane.out_end - lane.out);
  if (bytes_left < sizeof(uint64_t) || room < kStoredPerBatch) return 0;
  return std::min((bytes_left - sizeof(uint64_t)) / kMaxBytesPerBatch,
                  (room - kStoredPerBatch) / kMaxSymbolsPerBatch + 1);
}

// Appends the symbols of sixteen entries to `out`.
inline uint8_t* Append(const SymbolEntry* entries, uint8_t* out) {
  // The memory is mostly not in a cache yet.
  _mm_prefetch(reinterpret_cast<const char*>(out) + kBytesAhead, _MM_HINT_T0);
  // Above the three symbols of an entry stands their number.
  const __m512i symbols =
      _mm512_srli_epi32(_mm512_load_si512(entries), kEntrySymbolsShift);
  const __m512i top_bytes =
      _mm512_set4_epi32(0x0f0f0f0f, 0x0b0b0b0b, 0x07070707, 0x03030303);
  const __mmask64 counted = _mm512_cmpgt_epu8_mask(
      _mm512_shuffle_epi8(symbols, top_bytes), _mm512_set1_epi32(0x03020100));
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(counted, symbols));
  return out + _mm_popcnt_u64(counted);
}

// The word at `bytes` without its first `bit` bits, below a bit that marks its
// end: the number of leading zeros tells how many bits of it were read.
inline uint64_t WordAt(const uint8_t* bytes, size_t bit) {
  return (LoadU64(bytes) | kMark) >> bit;
}

void RunBatches(const SymbolEntry* table, unsigned table_bits,
                SymbolLane* lanes, size_t num_batches) {
  uint64_t words[kLanes];
  const uint8_t* bytes[kLanes];
  uint8_t* outs[kLanes];
  for (size_t i = 0; i < kLanes; ++i) {
    bytes[i] = lanes[i].bytes + (lanes[i].bit >> 3);
    words[i] = WordAt(bytes[i], lanes[i].bit & 7);
    outs[i] = lanes[i].out;
  }
  // The symbols of a batch are moved together while the next batch is decoded:
  // a processor takes long to read a vector whose parts it has just written.
  alignas(64) Entries memory[2];
  for (size_t batch = 0; batch <= num_batches; ++batch) {
    if (batch < num_batches) {
      SymbolEntry* entry = memory[batch & 1][0];
      for (size_t round = 0; round < kRoundsPerBatch; ++round) {
        for (size_t i = 0; i < kLookupsPerRound; ++i, ++entry) {
          for (size_t lane = 0; lane < kLanes; ++lane) {
            const SymbolEntry found = table[_bzhi_u64(words[lane], table_bits)];
            words[lane] >>= EntryBits(found);
            entry[lane * kEntriesPerBatch] = found;
          }
        }
        for (size_t lane = 0; lane < kLanes; ++lane) {
          const size_t bit = LeadingZeros(words[lane]);
          bytes[lane] += bit >> 3;
          words[lane] = WordAt(bytes[lane], bit & 7);
        }
      }
    }
    if (batch > 0) {
      for (size_t lane = 0; lane < kLanes; ++lane) {
        outs[lane] = Append(memory[(batch - 1) & 1][lane], outs[lane]);
      }
    }
  }
  for (size_t i = 0; i < kLanes; ++i) {
    lanes[i].bit = 8 * static_cast<size_t>(bytes[i] - lanes[i].bytes) +
                   LeadingZeros(words[i]);
    lanes[i].out = outs[i];
  }
}

}  // namespace

void RunEightLanesVbmi2(const SymbolEntry* table, int table_bits,
                        SymbolLane* lanes) {
  for (;;) {
    size_t num_batches = std::numeric_limits<size_t>::max();
    for (size_t i = 0; i < kLanes; ++i) {
      num_batches = std::min(num_batches, SafeBatches(lanes[i]));
    }
    if (num_batches == 0) return;
    RunBatches(table, static_cast<unsigned>(table_bits), lanes, num_batches);
  }
}

}  // namespace keras_dc
