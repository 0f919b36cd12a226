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

const char* kdc_status_message(int32_t status) {
  switch (status) {
    case KDC_OK:
      return "no error";
    case KDC_INVALID_ARGUMENT:
      return "an argument is null, negative or not a known dtype";
    case KDC_OUT_OF_MEMORY:
      return "memory could not be allocated";
    case KDC_WRONG_BUFFER_SIZE:
      return "a buffer does not have the size of what it takes";
    case KDC_BAD_MAGIC:
      return "this is not a keras_dc blob: it does not begin with 'KDC'";
    case KDC_UNSUPPORTED_VERSION:
      return "the blob has a format version that this library does not read";
    case KDC_BAD_CHECKSUM:
      return "the blob is damaged: its checksum does not match its bytes";
    case KDC_TRUNCATED:
      return "the blob ends before the data that it declares";
    case KDC_TRAILING_BYTES:
      return "the blob goes on after the data that it declares";
    case KDC_BAD_HEADER:
      return "the blob's header has a field with a value that is not allowed";
    case KDC_TOO_LARGE:
      return "the tensor has more than 2147483647 weights";
    case KDC_BAD_CODE_TABLE:
      return "the blob's code lengths do not make a complete prefix code";
    case KDC_BAD_STREAM:
      return "a bit stream of the blob does not end where its symbols do";
    case KDC_BAD_POSITION:
      return "the blob's position gaps do not end at its last kept weight, "
             "inside the tensor";
    case KDC_WRONG_BASE:
      return "the base is not the file that the patch was made for";
    case KDC_WRITE_FAILED:
      return "the file could not be written";
    default:
      return "unknown status";
  }
}

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
