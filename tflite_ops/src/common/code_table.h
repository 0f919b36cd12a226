// How a table of code lengths is written (FORMAT.md, 5).
#ifndef KERAS_DC_SRC_COMMON_CODE_TABLE_H_
#define KERAS_DC_SRC_COMMON_CODE_TABLE_H_

#include <cstddef>
#include <cstdint>

#include "common/bit_stream.h"
#include "common/format.h"

namespace keras_dc {

// In a table an absent symbol has a length one bit beyond the longest code:
// rare symbols have long codes and absent ones are the rarest, so the steps
// between neighbours stay small.
inline constexpr int kAbsentLength = kMaxCodeLength + 1;
inline constexpr int kFirstLengthBits = 4;
inline constexpr int kMaxRunBits = 8;
inline constexpr int kMaxStep = kAbsentLength;

// Reads a table of `num_symbols` symbols and checks that it is a complete
// code. Returns KDC_OK, KDC_TRUNCATED or KDC_BAD_CODE_TABLE.
kdc_status ReadCodeLengths(ByteReader* reader, size_t num_symbols,
                           uint8_t* lengths);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_CODE_TABLE_H_
