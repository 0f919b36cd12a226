// Gives a mutated blob its right checksum, so that the reader reads on.
#ifndef KERAS_DC_TESTS_FUZZ_SEALED_BLOB_H_
#define KERAS_DC_TESTS_FUZZ_SEALED_BLOB_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/crc32.h"
#include "common/format.h"

namespace keras_dc {

inline std::vector<uint8_t> SealedBlob(const uint8_t* data, size_t size) {
  std::vector<uint8_t> blob(data, data + size);
  if (size < kMagicBytes + kChecksumBytes) return blob;
  const uint32_t checksum = Crc32(blob.data(), size - kChecksumBytes);
  for (size_t i = 0; i < kChecksumBytes; ++i) {
    blob[size - kChecksumBytes + i] = static_cast<uint8_t>(checksum >> (8 * i));
  }
  return blob;
}

}  // namespace keras_dc

#endif  // KERAS_DC_TESTS_FUZZ_SEALED_BLOB_H_
