#include "stored_values.h"

#include <cstring>

#include "bit_stream.h"
#include "format.h"
#include "half_float.h"

namespace keras_dc {
namespace {

// Numbers stored as float16, float32 or float64.
std::vector<double> StoredNumbers(const ByteRange& range, size_t count) {
  std::vector<double> numbers(count);
  const size_t item_size = count == 0 ? 0 : range.size / count;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* item = range.bytes + item_size * i;
    if (item_size == sizeof(double)) {
      const uint64_t bits = LoadU64(item);
      std::memcpy(&numbers[i], &bits, sizeof(bits));
      continue;
    }
    const uint32_t bits =
        item_size == sizeof(float)
            ? LoadU32(item)
            : HalfToFloatBits(static_cast<uint16_t>(item[0] | item[1] << 8));
    float number;
    std::memcpy(&number, &bits, sizeof(bits));
    numbers[i] = number;
  }
  return numbers;
}

}  // namespace

std::vector<uint8_t> StoredItems(const ParsedBlob& blob) {
  const ByteRange stored = blob.stored_values;
  if (!blob.half_float) return {stored.bytes, stored.bytes + stored.size};
  std::vector<uint8_t> values(2 * stored.size);
  for (size_t i = 0; i < stored.size / 2; ++i) {
    const auto half = static_cast<uint16_t>(stored.bytes[2 * i] |
                                            stored.bytes[2 * i + 1] << 8);
    const uint32_t bits = HalfToFloatBits(half);
    std::memcpy(&values[4 * i], &bits, sizeof(bits));
  }
  return values;
}

void StoredScales(const ParsedBlob& blob, std::vector<double>* codebook,
                  std::vector<double>* scales) {
  const kdc_blob_info& info = blob.info;
  *codebook = StoredNumbers(blob.stored_values,
                            static_cast<size_t>(info.num_centroids));
  *scales = StoredNumbers(
      blob.stored_scales,
      static_cast<size_t>(NumChannels(info.shape, info.rank, info.scale_axis)));
}

void ApplyScales(const ParsedBlob& blob, SparseTensor* tensor) {
  const kdc_blob_info& info = blob.info;
  const auto num_channels =
      static_cast<size_t>(NumChannels(info.shape, info.rank, info.scale_axis));
  std::vector<double> codebook, scales;
  StoredScales(blob, &codebook, &scales);
  const size_t item_size = ItemSize(info.dtype);
  tensor->values.resize(item_size * tensor->indices.size());
  const auto num_rows = static_cast<size_t>(tensor->num_rows);
  for (size_t row = 0; row < num_rows; ++row) {
    const size_t end = tensor->row_begin[row + 1];
    for (size_t i = tensor->row_begin[row]; i < end; ++i) {
      const size_t channel = info.scale_axis == KDC_FIRST_AXIS
                                 ? row
                                 : tensor->columns[i] % num_channels;
      const uint32_t pattern = ScaledPattern(codebook[tensor->indices[i]],
                                             scales[channel], info.dtype);
      std::memcpy(&tensor->values[item_size * i], &pattern, item_size);
    }
  }
  tensor->indices.clear();
  tensor->codebook.clear();
}

}  // namespace keras_dc
