#include "tflite/bundle.h"

#include <cstdint>
#include <cstring>
#include <string>

#include "common/bit_stream.h"
#include "common/return_if_error.h"

namespace keras_dc {
namespace {

// "KDB" and the version.
constexpr uint8_t kBundleMagic[] = {0x4B, 0x44, 0x42, 1};

bool BeginsBundle(const Blob& bytes) {
  return bytes.size >= sizeof(kBundleMagic) &&
         std::memcmp(bytes.data, kBundleMagic, sizeof(kBundleMagic)) == 0;
}

}  // namespace

bool IsBundle(const TfLiteTensor& tensor) {
  Blob bytes;
  return GetBlob(tensor, &bytes).empty() && BeginsBundle(bytes);
}

Error GetBlobAt(const TfLiteTensor& tensor, size_t place, Blob* blob) {
  Blob bytes;
  KDC_RETURN_IF_ERROR(GetBlob(tensor, &bytes));
  if (!BeginsBundle(bytes)) {
    *blob = bytes;
    return "";
  }
  ByteReader reader(bytes.data, bytes.size);
  reader.ReadBytes(sizeof(kBundleMagic));
  for (size_t i = 0;; ++i) {
    const auto size = static_cast<size_t>(reader.ReadVarint());
    const uint8_t* data = reader.ReadBytes(size);
    if (data == nullptr || reader.malformed()) {
      return "expected a bundle with a blob at place " + std::to_string(place) +
             ", its bytes end at place " + std::to_string(i);
    }
    if (i == place) {
      *blob = {data, size};
      return "";
    }
  }
}

}  // namespace keras_dc
