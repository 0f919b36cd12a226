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
  const size_t size = blob.half_float ? 2 : ItemSize(blob.info.dtype);
  return StoredItems(blob, 0, blob.stored_values.size / size);
}

std::vector<uint8_t> StoredItems(const ParsedBlob& blob, size_t first,
                                 size_t count) {
  const size_t item_size = ItemSize(blob.info.dtype);
  if (!blob.half_float) {
    const uint8_t* items = blob.stored_values.bytes + item_size * first;
    return {items, items + item_size * count};
  }
  const uint8_t* halves = blob.stored_values.bytes + 2 * first;
  std::vector<uint8_t> values(4 * count);
  for (size_t i = 0; i < count; ++i) {
    const auto half =
        static_cast<uint16_t>(halves[2 * i] | halves[2 * i + 1] << 8);
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

void ApplyScales(const ParsedBlob& blob, bool are_columns, size_t first_line,
                 SparseTensor* lines) {
  const kdc_blob_info& info = blob.info;
  const auto num_channels =
      static_cast<size_t>(NumChannels(info.shape, info.rank, info.scale_axis));
  std::vector<double> codebook, scales;
  StoredScales(blob, &codebook, &scales);
  const size_t item_size = ItemSize(info.dtype);
  lines->values.resize(item_size * lines->indices.size());
  const auto num_lines = static_cast<size_t>(lines->num_rows);
  for (size_t line = 0; line < num_lines; ++line) {
    const size_t end = lines->row_begin[line + 1];
    for (size_t i = lines->row_begin[line]; i < end; ++i) {
      const size_t in_line = lines->columns[i];
      const size_t row = are_columns ? in_line : first_line + line;
      const size_t column = are_columns ? first_line + line : in_line;
      const size_t channel =
          info.scale_axis == KDC_FIRST_AXIS ? row : column % num_channels;
      const uint32_t pattern = ScaledPattern(codebook[lines->indices[i]],
                                             scales[channel], info.dtype);
      std::memcpy(&lines->values[item_size * i], &pattern, item_size);
    }
  }
  lines->indices.clear();
  lines->codebook.clear();
}

void FillValues(const ParsedBlob& blob, size_t first_line, size_t first_entry,
                SparseTensor* lines) {
  lines->codebook.clear();
  lines->values.clear();
  if (blob.info.num_centroids == 0) {
    lines->values = StoredItems(blob, first_entry, lines->columns.size());
  } else if (blob.info.scale_axis == KDC_NO_SCALE) {
    lines->codebook = StoredItems(blob);
  } else {
    ApplyScales(blob, blob.info.column_major != 0, first_line, lines);
  }
}

std::vector<uint8_t> NegativeCentroids(const ParsedBlob& blob) {
  const auto count = static_cast<size_t>(blob.info.num_centroids);
  const size_t item_size = blob.stored_values.size / count;
  std::vector<uint8_t> is_negative(count);
  for (size_t i = 0; i < count; ++i) {
    is_negative[i] = blob.stored_values.bytes[item_size * (i + 1) - 1] >> 7;
  }
  return is_negative;
}

}  // namespace keras_dc
