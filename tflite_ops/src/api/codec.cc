// The C ABI: each function calls a C++ one, and turns exceptions into statuses.
// Here are those that every build has; encode.cc and pack.cc are left out of a
// library that only decodes.
#include "keras_dc/codec.h"

#include <memory>

#include "common/cpu.h"
#include "common/no_throw.h"
#include "common/return_if_error.h"
#include "decode/blob_reader.h"
#include "decode/decoder.h"

// What kdc_open gives.
struct kdc_blob {
  keras_dc::ParsedBlob parsed;
};

using keras_dc::NoThrow;

const char* kdc_instruction_set() {
  const keras_dc::Cpu& cpu = keras_dc::ThisCpu();
  return cpu.error.empty() ? keras_dc::IsaName(cpu.isa) : nullptr;
}

int32_t kdc_open(const uint8_t* bytes, size_t size, kdc_blob** blob) {
  if (blob == nullptr) return KDC_INVALID_ARGUMENT;
  *blob = nullptr;
  return NoThrow([&] {
    auto opened = std::make_unique<kdc_blob>();
    KDC_RETURN_IF_ERROR(keras_dc::ReadBlob(bytes, size, &opened->parsed));
    *blob = opened.release();
    return KDC_OK;
  });
}

void kdc_close(kdc_blob* blob) { delete blob; }

int32_t kdc_get_info(const kdc_blob* blob, kdc_blob_info* info) {
  if (blob == nullptr || info == nullptr) return KDC_INVALID_ARGUMENT;
  *info = blob->parsed.info;
  return KDC_OK;
}

int32_t kdc_decode(const kdc_blob* blob, void* values, size_t values_size) {
  if (blob == nullptr) return KDC_INVALID_ARGUMENT;
  return NoThrow([&] {
    return keras_dc::DecodeDense(blob->parsed, 1, values, values_size);
  });
}

int32_t kdc_decode_entries(const kdc_blob* blob, uint32_t* row_begin,
                           size_t row_begin_size, uint32_t* columns,
                           uint8_t* indices, size_t num_entries) {
  if (blob == nullptr || row_begin == nullptr || columns == nullptr ||
      indices == nullptr) {
    return KDC_INVALID_ARGUMENT;
  }
  return NoThrow([&] {
    return keras_dc::DecodeEntries(
        blob->parsed,
        {row_begin, row_begin_size, columns, indices, num_entries});
  });
}
