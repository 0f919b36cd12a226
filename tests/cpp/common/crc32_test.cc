#include "common/crc32.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace keras_dc {
namespace {

// Bit by bit, as the standard says it.
uint32_t PlainCrc32(const std::vector<uint8_t>& bytes, uint32_t before) {
  uint32_t crc = ~before;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kCrc32Polynomial : 0);
    }
  }
  return ~crc;
}

TEST(Crc32, IsThatOfTheStandard) {
  const char text[] = "123456789";
  EXPECT_EQ(Crc32(reinterpret_cast<const uint8_t*>(text), 9), 0xcbf43926u);
}

TEST(Crc32, TakesAnySizeAndGoesOn) {
  std::vector<uint8_t> bytes;
  for (size_t size = 0; size < 300; ++size) {
    for (const uint32_t before : {0u, 0xdeadbeefu}) {
      EXPECT_EQ(Crc32(bytes.data(), size, before), PlainCrc32(bytes, before))
          << size;
    }
    bytes.push_back(static_cast<uint8_t>(size * size + 7 * size));
  }
}

}  // namespace
}  // namespace keras_dc
