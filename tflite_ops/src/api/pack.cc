// The C ABI of the packed file, as it is written: see codec.cc.
#include "keras_dc/pack.h"

#include <vector>

#include "api/written_bytes.h"
#include "common/format.h"
#include "common/return_if_error.h"
#include "pack/packer.h"
#include "unpack/tensor_bytes.h"

namespace {

using keras_dc::ByteSpan;
using keras_dc::DenseTensor;
using keras_dc::PartTensors;

// The tensor that `bytes` hold, as a blob or dense.
kdc_status ReadTensor(const ByteSpan& bytes, bool is_blob, const kdc_part& part,
                      std::vector<uint32_t>* weights, size_t* item_size) {
  DenseTensor tensor;
  if (is_blob) {
    KDC_RETURN_IF_ERROR(keras_dc::DecodeTensor(
        bytes.bytes, bytes.size, UINT64_MAX, UINT64_MAX, &tensor));
  } else {
    uint64_t count = 1;
    if (part.rank < 0 || part.rank > KDC_MAX_RANK ||
        keras_dc::ItemSize(part.dtype) == 0) {
      return KDC_INVALID_ARGUMENT;
    }
    tensor.dtype = part.dtype;
    tensor.rank = part.rank;
    for (int32_t i = 0; i < part.rank; ++i) {
      const auto dim = static_cast<uint64_t>(part.shape[i]);
      if (dim > keras_dc::kMaxWeights ||
          (dim != 0 && count > keras_dc::kMaxWeights / dim)) {
        return KDC_INVALID_ARGUMENT;
      }
      tensor.shape[i] = part.shape[i];
      count *= dim;
    }
    if (keras_dc::StoredBytes(part.dtype, count) > bytes.size) {
      return KDC_INVALID_ARGUMENT;
    }
    keras_dc::ReadStored(bytes.bytes, &tensor);
  }
  *item_size = keras_dc::ItemSize(tensor.dtype);
  *weights = keras_dc::PatternsOf(tensor);
  return KDC_OK;
}

// Reads the tensors of parts that take their values from the base.
kdc_status ReadTensors(const ByteSpan& original, const ByteSpan& base,
                       const kdc_part* parts, size_t num_parts,
                       std::vector<PartTensors>* tensors) {
  size_t at = 0;
  for (size_t i = 0; i < num_parts; ++i) {
    const kdc_part& part = parts[i];
    if (part.size > original.size - at) return KDC_INVALID_ARGUMENT;
    const ByteSpan bytes = {original.bytes + at,
                            static_cast<size_t>(part.size)};
    at += bytes.size;
    if (part.kind != KDC_PART_TENSOR || part.source == KDC_FROM_BLOB) continue;
    if (base.bytes == nullptr || part.base_offset > base.size) {
      return KDC_INVALID_ARGUMENT;
    }
    ByteSpan old = {base.bytes + part.base_offset,
                    base.size - static_cast<size_t>(part.base_offset)};
    if (part.base_is_blob != 0) {
      if (part.base_size > old.size) return KDC_INVALID_ARGUMENT;
      old.size = static_cast<size_t>(part.base_size);
    }
    PartTensors& found = (*tensors)[i];
    KDC_RETURN_IF_ERROR(ReadTensor(old, part.base_is_blob != 0, part,
                                   &found.base_weights, &found.item_size));
    if (part.source == KDC_FROM_DIFFERENCE) continue;
    KDC_RETURN_IF_ERROR(ReadTensor(bytes, part.is_huffman != 0, part,
                                   &found.weights, &found.item_size));
  }
  return KDC_OK;
}

}  // namespace

int32_t kdc_pack(const uint8_t* original, size_t original_size,
                 const uint8_t* base, size_t base_size, const kdc_part* parts,
                 size_t num_parts, uint64_t* part_bytes, kdc_bytes** packed) {
  if (packed != nullptr) *packed = nullptr;
  if ((original == nullptr && original_size != 0) ||
      (parts == nullptr && num_parts != 0)) {
    return KDC_INVALID_ARGUMENT;
  }
  return keras_dc::WriteOut(
      [&](std::vector<uint8_t>* bytes) {
        const ByteSpan file = {original, original_size};
        const ByteSpan old = {base, base_size};
        std::vector<PartTensors> tensors(num_parts);
        KDC_RETURN_IF_ERROR(ReadTensors(file, old, parts, num_parts, &tensors));
        return keras_dc::Pack(file, old, {parts, parts + num_parts}, tensors,
                              part_bytes, bytes);
      },
      packed);
}
