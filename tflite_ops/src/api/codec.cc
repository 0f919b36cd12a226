// The C ABI. Every function turns the C++ calls into statuses and nothing more.
#include "keras_dc/codec.h"

#include <cstring>
#include <new>
#include <vector>

#include "api/recoder.h"
#include "decode/blob_reader.h"
#include "decode/decoder.h"
#include "encode/encoder.h"
#include "encode/scaled_encoder.h"

namespace {

kdc_status CopyOut(const std::vector<uint8_t>& bytes, uint8_t* blob,
                   size_t capacity, size_t* blob_size) {
  if (bytes.size() > capacity) return KDC_WRONG_BUFFER_SIZE;
  std::memcpy(blob, bytes.data(), bytes.size());
  *blob_size = bytes.size();
  return KDC_OK;
}

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
    default:
      return "unknown status";
  }
}

size_t kdc_encode_bound(int64_t num_weights, int32_t dtype, int32_t rank) {
  return keras_dc::EncodeBound(num_weights, dtype, rank);
}

int32_t kdc_encode(const void* values, int32_t dtype, const int64_t* shape,
                   int32_t rank, uint8_t* blob, size_t blob_capacity,
                   size_t* blob_size) {
  if (blob == nullptr || blob_size == nullptr) return KDC_INVALID_ARGUMENT;
  std::vector<uint8_t> bytes;
  const kdc_status status =
      keras_dc::Encode(values, dtype, shape, rank, &bytes);
  if (status != KDC_OK) return status;
  return CopyOut(bytes, blob, blob_capacity, blob_size);
}

int32_t kdc_encode_scaled(const void* values, int32_t dtype,
                          const int64_t* shape, int32_t rank,
                          const double* codebook, int32_t num_centroids,
                          const double* scales, int32_t scale_axis,
                          uint8_t* blob, size_t blob_capacity,
                          size_t* blob_size) {
  if (blob == nullptr || blob_size == nullptr || codebook == nullptr ||
      scales == nullptr || shape == nullptr || num_centroids < 1 || rank < 2 ||
      rank > KDC_MAX_RANK) {
    return KDC_INVALID_ARGUMENT;
  }
  const int64_t num_channels =
      shape[scale_axis == KDC_FIRST_AXIS ? 0 : rank - 1];
  if (num_channels < 0) return KDC_INVALID_ARGUMENT;
  std::vector<uint8_t> bytes;
  try {
    const kdc_status status = keras_dc::EncodeScaled(
        values, dtype, shape, rank, {codebook, codebook + num_centroids},
        {scales, scales + num_channels}, scale_axis, &bytes);
    if (status != KDC_OK) return status;
  } catch (const std::bad_alloc&) {
    return KDC_OUT_OF_MEMORY;
  }
  return CopyOut(bytes, blob, blob_capacity, blob_size);
}

int32_t kdc_recode(const uint8_t* blob, size_t blob_size, uint8_t* recoded,
                   size_t recoded_capacity, size_t* recoded_size) {
  if (recoded == nullptr || recoded_size == nullptr) {
    return KDC_INVALID_ARGUMENT;
  }
  std::vector<uint8_t> bytes;
  const kdc_status status = keras_dc::Recode(blob, blob_size, &bytes);
  if (status != KDC_OK) return status;
  return CopyOut(bytes, recoded, recoded_capacity, recoded_size);
}

int32_t kdc_inspect(const uint8_t* blob, size_t blob_size,
                    kdc_blob_info* info) {
  if (info == nullptr) return KDC_INVALID_ARGUMENT;
  try {
    keras_dc::ParsedBlob parsed;
    const kdc_status status = keras_dc::ReadBlob(blob, blob_size, &parsed);
    if (status == KDC_OK) *info = parsed.info;
    return status;
  } catch (const std::bad_alloc&) {
    return KDC_OUT_OF_MEMORY;
  }
}

int32_t kdc_decode(const uint8_t* blob, size_t blob_size, void* values,
                   size_t values_size) {
  return keras_dc::DecodeDense(blob, blob_size, values, values_size);
}

int32_t kdc_decode_entries(const uint8_t* blob, size_t blob_size,
                           uint32_t* row_begin, size_t row_begin_size,
                           uint32_t* columns, uint8_t* indices,
                           size_t num_entries) {
  if (row_begin == nullptr || columns == nullptr || indices == nullptr) {
    return KDC_INVALID_ARGUMENT;
  }
  return keras_dc::DecodeEntries(
      blob, blob_size,
      {row_begin, row_begin_size, columns, indices, num_entries});
}
