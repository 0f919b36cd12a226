// The C ABI of the encoder: see codec.cc.
#include <memory>
#include <vector>

#include "api/recoder.h"
#include "api/written_bytes.h"
#include "common/return_if_error.h"
#include "encode/encoder.h"
#include "encode/scaled_encoder.h"
#include "keras_dc/codec.h"

using keras_dc::WriteOut;

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
