#include "common/crc32.h"

#include <array>

#include "common/bit_stream.h"
#include "common/constexpr_table.h"
#include "common/cpu.h"

namespace keras_dc {
namespace {

#if defined(KERAS_DC_SMALL)

// For machines with little memory: crcs[b] is the CRC of the four bits b.
struct NibbleTable {
  uint32_t crcs[16] = {};

  constexpr NibbleTable() {
    for (uint32_t nibble = 0; nibble < 16; ++nibble) {
      uint32_t crc = nibble;
      for (int bit = 0; bit < 4; ++bit) {
        crc = (crc >> 1) ^ ((crc & 1) ? kCrc32Polynomial : 0);
      }
      crcs[nibble] = crc;
    }
  }
};

constexpr NibbleTable kTable;

// The CRC register after `bytes`, from `crc` on.
uint32_t Update(uint32_t crc, const uint8_t* bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    crc ^= bytes[i];
    crc = (crc >> 4) ^ kTable.crcs[crc & 15];
    crc = (crc >> 4) ^ kTable.crcs[crc & 15];
  }
  return crc;
}

#else

// The tables are the part of the library that no zip makes smaller: 8 KB.
constexpr size_t kSlices = 8;

// A step takes 8 bytes: kTables[k][b] is the CRC of byte b and k zeros behind
// it.
using Tables = std::array<std::array<uint32_t, 256>, kSlices>;

KERAS_DC_CONSTEXPR Tables MakeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) ? kCrc32Polynomial : 0);
    }
    tables[0][byte] = crc;
  }
  for (size_t slice = 1; slice < kSlices; ++slice) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = tables[slice - 1][byte];
      tables[slice][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}

KERAS_DC_CONSTEXPR const Tables kTables = MakeTables();

// The CRC register after `bytes`, from `crc` on.
uint32_t Update(uint32_t crc, const uint8_t* bytes, size_t size) {
  while (size >= kSlices) {
    const uint32_t words[] = {LoadU32(bytes) ^ crc, LoadU32(bytes + 4)};
    crc = 0;
    for (size_t i = 0; i < 2; ++i) {
      const size_t slice = kSlices - 1 - 4 * i;
      crc ^= kTables[slice][words[i] & 0xff] ^
             kTables[slice - 1][(words[i] >> 8) & 0xff] ^
             kTables[slice - 2][(words[i] >> 16) & 0xff] ^
             kTables[slice - 3][words[i] >> 24];
    }
    bytes += kSlices;
    size -= kSlices;
  }
  while (size > 0) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ *bytes) & 0xff];
    ++bytes;
    --size;
  }
  return crc;
}

#endif  // KERAS_DC_SMALL

}  // namespace

uint32_t Crc32(const uint8_t* bytes, size_t size, uint32_t before) {
  uint32_t crc = ~before;
#if defined(KERAS_DC_X86_KERNELS)
  if (ThisCpu().clmul) {
    uint8_t folded[16];
    const size_t done = FoldClmul(bytes, size, crc, folded);
    if (done != 0) crc = Update(0, folded, sizeof(folded));
    bytes += done;
    size -= done;
  }
#elif defined(KERAS_DC_NEON_KERNELS)
  if (ThisCpu().arm_crc) return ~UpdateCrcArm(bytes, size, crc);
#endif
  return ~Update(crc, bytes, size);
}

}  // namespace keras_dc
