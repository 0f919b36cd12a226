// The C ABI of the packed file, as it is read: see codec.cc.
#include <cstring>

#include "common/no_throw.h"
#include "common/return_if_error.h"
#include "keras_dc/pack.h"
#include "unpack/unpacker.h"

int32_t kdc_pack_get_info(const uint8_t* packed, size_t size,
                          kdc_pack_info* info) {
  if (info == nullptr) return KDC_INVALID_ARGUMENT;
  keras_dc::PackHead head;
  KDC_RETURN_IF_ERROR(keras_dc::ReadPackHead(packed, size, &head));
  *info = head.info;
  return KDC_OK;
}

int32_t kdc_unpacked_size(const uint8_t* packed, size_t size,
                          size_t* unpacked_size) {
  if (unpacked_size == nullptr) return KDC_INVALID_ARGUMENT;
  keras_dc::PackHead head;
  KDC_RETURN_IF_ERROR(keras_dc::ReadPackHead(packed, size, &head));
  if (head.info.original_size > SIZE_MAX) return KDC_TOO_LARGE;
  *unpacked_size = static_cast<size_t>(head.info.original_size);
  return KDC_OK;
}

int32_t kdc_unpack(const uint8_t* packed, size_t size, const uint8_t* base,
                   size_t base_size, uint8_t* out, size_t out_size) {
  if (out == nullptr && out_size != 0) return KDC_INVALID_ARGUMENT;
  keras_dc::PackHead head;
  KDC_RETURN_IF_ERROR(keras_dc::ReadPackHead(packed, size, &head));
  if (head.info.original_size != out_size) return KDC_WRONG_BUFFER_SIZE;
  return keras_dc::NoThrow([&] {
    size_t at = 0;
    return keras_dc::Unpack(head, base, base_size,
                            [&](const uint8_t* bytes, size_t count) {
                              if (count > out_size - at) return false;
                              std::memcpy(out + at, bytes, count);
                              at += count;
                              return true;
                            });
  });
}

int32_t kdc_unpack_to(const uint8_t* packed, size_t size, const uint8_t* base,
                      size_t base_size, kdc_write write, void* context) {
  if (write == nullptr) return KDC_INVALID_ARGUMENT;
  keras_dc::PackHead head;
  KDC_RETURN_IF_ERROR(keras_dc::ReadPackHead(packed, size, &head));
  return keras_dc::NoThrow([&] {
    return keras_dc::Unpack(head, base, base_size,
                            [&](const uint8_t* bytes, size_t count) {
                              return write(context, bytes, count) == 0;
                            });
  });
}
