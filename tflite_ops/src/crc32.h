// The CRC-32 of IEEE 802.3 (reflected 0x04C11DB7), as in zlib (FORMAT.md, 7).
#ifndef KERAS_DC_SRC_CRC32_H_
#define KERAS_DC_SRC_CRC32_H_

#include <cstddef>
#include <cstdint>

namespace keras_dc {

uint32_t Crc32(const uint8_t* bytes, size_t size);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_CRC32_H_
