// The CRC-32 of IEEE 802.3, as in zlib (FORMAT.md, 7).
#ifndef KERAS_DC_SRC_COMMON_CRC32_H_
#define KERAS_DC_SRC_COMMON_CRC32_H_

#include <cstddef>
#include <cstdint>

namespace keras_dc {

// 0x04C11DB7 with its bits in reverse.
inline constexpr uint32_t kCrc32Polynomial = 0xedb88320;

// `before` is the CRC of the bytes before these, if there are some.
uint32_t Crc32(const uint8_t* bytes, size_t size, uint32_t before = 0);

// For x86 with PCLMULQDQ. Folds a prefix of `bytes` into the 16 bytes `folded`:
// from a CRC register of 0 these lead to the register to which the prefix leads
// from `state`. Returns the length of the prefix.
size_t FoldClmul(const uint8_t* bytes, size_t size, uint32_t state,
                 uint8_t* folded);

// For Arm with the CRC instructions: the CRC register after `bytes`.
uint32_t UpdateCrcArm(const uint8_t* bytes, size_t size, uint32_t state);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_CRC32_H_
