#include "unpack/tensor_bytes.h"

#include <algorithm>
#include <cstring>

#include "common/bit_stream.h"
#include "common/crc32.h"
#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/blob_reader.h"
#include "decode/decoder.h"

namespace keras_dc {

std::vector<uint8_t> WholeBlob(const uint8_t* body, size_t size) {
  std::vector<uint8_t> blob(kMagic, kMagic + sizeof(kMagic));
  blob.reserve(kMagicBytes + size + kChecksumBytes);
  blob.push_back(kVersion);
  blob.insert(blob.end(), body, body + size);
  const uint32_t checksum = Crc32(blob.data(), blob.size());
  blob.resize(blob.size() + kChecksumBytes);
  StoreU32(checksum, &blob[blob.size() - kChecksumBytes]);
  return blob;
}

kdc_status DecodeTensor(const uint8_t* blob, size_t size, uint64_t most_bytes,
                        uint64_t most_weights, DenseTensor* tensor) {
  ParsedBlob parsed;
  KDC_RETURN_IF_ERROR(ReadBlob(blob, size, &parsed));
  const auto num_weights = static_cast<uint64_t>(parsed.info.num_weights);
  if (num_weights > most_weights ||
      StoredBytes(parsed.info.dtype, num_weights) > most_bytes) {
    return KDC_TOO_LARGE;
  }
  tensor->dtype = parsed.info.dtype;
  tensor->rank = parsed.info.rank;
  std::copy(parsed.info.shape, parsed.info.shape + KDC_MAX_RANK, tensor->shape);
  tensor->items.resize(ItemSize(tensor->dtype) *
                       static_cast<size_t>(num_weights));
  return DecodeDense(parsed, 1, tensor->items.data(), tensor->items.size());
}

namespace {

// The item size is fixed, so that compilers can move whole numbers.
template <size_t kItemSize>
void Gather(const uint8_t* items, std::vector<uint32_t>* patterns) {
  for (uint32_t& pattern : *patterns) {
    for (size_t k = 0; k < kItemSize; ++k) {
      pattern |= static_cast<uint32_t>(*items++) << (8 * k);
    }
  }
}

template <size_t kItemSize>
void Spread(const std::vector<uint32_t>& patterns, uint8_t* items) {
  for (const uint32_t pattern : patterns) {
    for (size_t k = 0; k < kItemSize; ++k) {
      *items++ = static_cast<uint8_t>(pattern >> (8 * k));
    }
  }
}

}  // namespace

std::vector<uint32_t> PatternsOf(const DenseTensor& tensor) {
  const size_t item_size = ItemSize(tensor.dtype);
  std::vector<uint32_t> patterns(tensor.items.size() / item_size);
  if (item_size == 4) Gather<4>(tensor.items.data(), &patterns);
  if (item_size == 2) Gather<2>(tensor.items.data(), &patterns);
  if (item_size == 1) Gather<1>(tensor.items.data(), &patterns);
  return patterns;
}

void SetPatterns(const std::vector<uint32_t>& patterns, DenseTensor* tensor) {
  const size_t item_size = ItemSize(tensor->dtype);
  tensor->items.resize(item_size * patterns.size());
  if (item_size == 4) Spread<4>(patterns, tensor->items.data());
  if (item_size == 2) Spread<2>(patterns, tensor->items.data());
  if (item_size == 1) Spread<1>(patterns, tensor->items.data());
}

uint64_t StoredBytes(int32_t dtype, uint64_t num_weights) {
  if (dtype == KDC_INT4) return (num_weights + 1) / 2;
  return ItemSize(dtype) * num_weights;
}

void PackInt4(DenseTensor* tensor) {
  if (tensor->dtype != KDC_INT4) return;
  ScratchVector<uint8_t>& items = tensor->items;
  const size_t count = items.size();
  for (size_t i = 0; i < count; i += 2) {
    const uint8_t high = i + 1 < count ? items[i + 1] : 0;
    items[i / 2] = static_cast<uint8_t>((items[i] & 15) | (high & 15) << 4);
  }
  items.resize((count + 1) / 2);
}

void ReadStored(const uint8_t* stored, DenseTensor* tensor) {
  uint64_t count = 1;
  for (int32_t i = 0; i < tensor->rank; ++i) {
    count *= static_cast<uint64_t>(tensor->shape[i]);
  }
  const auto size = static_cast<size_t>(count);
  if (tensor->dtype != KDC_INT4) {
    tensor->items.assign(stored, stored + ItemSize(tensor->dtype) * size);
    return;
  }
  tensor->items.resize(size);
  for (size_t i = 0; i < size; ++i) {
    const int nibble = (stored[i / 2] >> (i % 2 == 0 ? 0 : 4)) & 15;
    tensor->items[i] = static_cast<uint8_t>(nibble < 8 ? nibble : nibble - 16);
  }
}

}  // namespace keras_dc
