// The C ABI: each function calls a C++ one, and turns exceptions into statuses.
#include "keras_dc/codec.h"

#include <memory>
#include <vector>

#include "api/recoder.h"
#include "api/written_bytes.h"
#include "common/cpu.h"
#include "common/no_throw.h"
#include "common/return_if_error.h"
#include "decode/blob_reader.h"
#include "decode/decoder.h"
#include "encode/encoder.h"
#include "encode/scaled_encoder.h"

// What kdc_open gives.
struct kdc_blob {
  keras_dc::ParsedBlob parsed;
};

namespace {

using keras_dc::NoThrow;
using keras_dc::WriteOut;

}  // namespace

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

const uint8_t* kdc_bytes_data(const kdc_bytes* bytes) {
  return bytes == nullptr ? nullptr : bytes->bytes.data();
}

size_t kdc_bytes_size(const kdc_bytes* bytes) {
  return bytes == nullptr ? 0 : bytes->bytes.size();
}

void kdc_free_bytes(kdc_bytes* bytes) { delete bytes; }

int32_t kdc_encode(const void* values, int32_t dtype, const int64_t* shape,
                   int32_t rank, kdc_bytes** blob) {
  return kdc_encode_with_zero_point(values, dtype, shape, rank, 0, blob);
}

int32_t kdc_encode_with_zero_point(const void* values, int32_t dtype,
                                   const int64_t* shape, int32_t rank,
                                   int32_t zero_point, kdc_bytes** blob) {
  return WriteOut(
      [&](std::vector<uint8_t>* bytes) {
        return keras_dc::Encode(values, dtype, shape, rank, zero_point, bytes);
      },
      blob);
}

int32_t kdc_encode_scaled(const void* values, int32_t dtype,
                          const int64_t* shape, int32_t rank,
                          const double* codebook, int32_t num_centroids,
                          const double* scales, int32_t scale_axis,
                          kdc_bytes** blob) {
  if (blob != nullptr) *blob = nullptr;
  if (codebook == nullptr || scales == nullptr || shape == nullptr ||
      num_centroids < 1 || rank < 2 || rank > KDC_MAX_RANK) {
    return KDC_INVALID_ARGUMENT;
  }
  const int64_t num_channels =
      shape[scale_axis == KDC_FIRST_AXIS ? 0 : rank - 1];
  if (num_channels < 0) return KDC_INVALID_ARGUMENT;
  return WriteOut(
      [&](std::vector<uint8_t>* bytes) {
        return keras_dc::EncodeScaled(
            values, dtype, shape, rank, {codebook, codebook + num_centroids},
            {scales, scales + num_channels}, scale_axis, bytes);
      },
      blob);
}

int32_t kdc_recode(const uint8_t* bytes, size_t size, int32_t has_mask_model,
                   kdc_bytes** recoded) {
  return WriteOut(
      [&](std::vector<uint8_t>* written) {
        return keras_dc::Recode(bytes, size, has_mask_model != 0, written);
      },
      recoded);
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
