// The inner loops of the Huffman decoder: streams side by side, without checks,
// as long as no end is near.
#ifndef KERAS_DC_SRC_DECODE_SYMBOL_LANES_H_
#define KERAS_DC_SRC_DECODE_SYMBOL_LANES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "decode/symbol_table.h"

namespace keras_dc {

// A round reads 64 bits, at least 57 of them new, and makes four look-ups in
// them. A look-up writes four bytes, up to three of which are symbols.
inline constexpr size_t kLookupsPerRound = 4;
inline constexpr size_t kMaxBytesPerRound =
    (kLookupsPerRound * kMaxTableBits + 7) / 8;
inline constexpr size_t kMaxSymbolsPerRound =
    kMaxSymbolsPerEntry * kLookupsPerRound + 1;

// The state of one stream.
struct SymbolLane {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
  size_t bit = 0;
  uint8_t* out = nullptr;
  uint8_t* out_end = nullptr;

  // Rounds that can run without a check of either end.
  size_t SafeRounds() const {
    const size_t byte = bit >> 3;
    const size_t bytes_left = size > byte ? size - byte : 0;
    if (bytes_left < 8 + kMaxBytesPerRound) return 0;
    const auto room = static_cast<size_t>(out_end - out);
    return std::min((bytes_left - 8) / (kMaxBytesPerRound + 1),
                    room / kMaxSymbolsPerRound);
  }
};

// Runs `rounds` rounds of each lane, which must be safe. `table` has entries
// for patterns of `table_bits` bits.
void RunLanes(const SymbolEntry* table, int table_bits, SymbolLane* lanes,
              size_t num_lanes, size_t rounds);

// Runs eight lanes until one of them is near an end. Does nothing on a machine
// without the instructions for it.
inline constexpr size_t kLanesAtOnce = 8;
void RunEightLanes(const SymbolEntry* table, int table_bits, SymbolLane* lanes);

// For x86 with AVX-512, VBMI2 and BMI2.
void RunEightLanesVbmi2(const SymbolEntry* table, int table_bits,
                        SymbolLane* lanes);

// For x86 with BMI2.
void RunLanesBmi2(const SymbolEntry* table, int table_bits, SymbolLane* lanes,
                  size_t num_lanes, size_t rounds);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SYMBOL_LANES_H_
