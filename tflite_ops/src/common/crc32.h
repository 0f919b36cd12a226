// The CRC-32 of IEEE 802.3, as in zlib (FORMAT.md, 7).
#ifndef KERAS_DC_SRC_COMMON_CRC32_H_
#define KERAS_DC_SRC_COMMON_CRC32_H_

#include <cstddef>
#include <cstdint>

namespace keras_dc {

// 0x04C11DB7 with its bits in reverse.
inline constexpr uint32_t kCrc32Polynomial = 0xedb88320;

uint32_t Crc32(const uint8_t* bytes, size_t size);

// For x86 with PCLMULQDQ: makes the first bytes, as many as it returns, into 16
// that leave a register that is zero as those leave one that is `state`.
size_t FoldClmul(const uint8_t* bytes, size_t size, uint32_t state,
                 uint8_t* folded);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_CRC32_H_
