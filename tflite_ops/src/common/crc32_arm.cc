// Compiled for the CRC instructions of Armv8.
#include <arm_acle.h>

#include <cstring>

#include "common/crc32.h"

namespace keras_dc {

uint32_t UpdateCrcArm(const uint8_t* bytes, size_t size, uint32_t state) {
  for (; size >= sizeof(uint64_t); bytes += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof(word));
    state = __crc32d(state, word);
    size -= sizeof(word);
  }
  for (; size > 0; --size) state = __crc32b(state, *bytes++);
  return state;
}

}  // namespace keras_dc
