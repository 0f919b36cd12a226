// What an encoder gives its caller.
#ifndef KERAS_DC_SRC_API_WRITTEN_BYTES_H_
#define KERAS_DC_SRC_API_WRITTEN_BYTES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "common/no_throw.h"
#include "common/return_if_error.h"
#include "keras_dc/codec.h"

struct kdc_bytes {
  std::vector<uint8_t> bytes;
};

namespace keras_dc {

// Gives the caller what `write(&bytes)` writes.
template <typename Write>
int32_t WriteOut(Write write, kdc_bytes** out) {
  if (out == nullptr) return KDC_INVALID_ARGUMENT;
  *out = nullptr;
  return NoThrow([&] {
    auto written = std::make_unique<kdc_bytes>();
    KDC_RETURN_IF_ERROR(write(&written->bytes));
    *out = written.release();
    return KDC_OK;
  });
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_API_WRITTEN_BYTES_H_
