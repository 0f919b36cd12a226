#include "decode/stored_values.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/bit_stream.h"
#include "common/format.h"
#include "common/half_float.h"
#include "common/return_if_error.h"
#include "decode/blob_parts.h"

namespace keras_dc {
namespace {

// The values of both line classes, in the order of the scan.
kdc_status UnpackClasses(const ParsedBlob& blob, uint8_t* bytes) {
  const StoredNumbers* stored[] = {&blob.stored_values, &blob.second_values};
  std::vector<uint8_t> parts[2];
  const uint8_t* next[2];
  for (int i = 0; i < 2; ++i) {
    parts[i].resize(stored[i]->num_bytes());
    KDC_RETURN_IF_ERROR(UnpackNumbers(*stored[i], parts[i].data()));
    next[i] = parts[i].data();
  }
  const auto num_lines = static_cast<size_t>(blob.num_lines());
  const size_t line_bytes = (parts[0].size() + parts[1].size()) / num_lines;
  for (size_t line = 0; line < num_lines; ++line) {
    const int line_class = blob.line_classes.bytes[line / 8] >> line % 8 & 1;
    std::memcpy(bytes, next[line_class], line_bytes);
    next[line_class] += line_bytes;
    bytes += line_bytes;
  }
  return KDC_OK;
}

kdc_status UnpackValues(const ParsedBlob& blob, uint8_t* bytes) {
  return blob.info.line_classes != 0 ? UnpackClasses(blob, bytes)
                                     : UnpackNumbers(blob.stored_values, bytes);
}

// From a scan by columns to one by rows, in squares that fit the cache on both
// sides.
template <size_t kItemSize>
void Transpose(const uint8_t* from, const MatrixShape& matrix, uint8_t* to) {
  constexpr size_t kSide = 32;
  const auto rows = static_cast<size_t>(matrix.rows);
  const auto columns = static_cast<size_t>(matrix.columns);
  for (size_t row = 0; row < rows; row += kSide) {
    const size_t row_end = std::min(row + kSide, rows);
    for (size_t column = 0; column < columns; column += kSide) {
      const size_t column_end = std::min(column + kSide, columns);
      for (size_t i = row; i < row_end; ++i) {
        for (size_t j = column; j < column_end; ++j) {
          std::memcpy(to + kItemSize * (i * columns + j),
                      from + kItemSize * (j * rows + i), kItemSize);
        }
      }
    }
  }
}

// Numbers stored as float16, float32 or float64.
kdc_status UnpackDoubles(const StoredNumbers& stored,
                         std::vector<double>* numbers) {
  std::vector<uint8_t> bytes(stored.num_bytes());
  KDC_RETURN_IF_ERROR(UnpackNumbers(stored, bytes.data()));
  numbers->resize(stored.count);
  for (size_t i = 0; i < stored.count; ++i) {
    (*numbers)[i] = LoadNumber(&bytes[stored.item_size * i], stored.item_size);
  }
  return KDC_OK;
}

}  // namespace

void AsItems(const ParsedBlob& blob, std::vector<uint8_t>* stored) {
  if (!blob.half_float) return;
  const std::vector<uint8_t> halves = std::move(*stored);
  *stored = std::vector<uint8_t>(2 * halves.size());
  for (size_t i = 0; i < halves.size(); i += 2) {
    const auto half = static_cast<uint16_t>(halves[i] | halves[i + 1] << 8);
    StoreU32(HalfToFloatBits(half), &(*stored)[2 * i]);
  }
}

kdc_status StoredItems(const ParsedBlob& blob, std::vector<uint8_t>* items) {
  items->resize(blob.stored_values.num_bytes() +
                blob.second_values.num_bytes());
  KDC_RETURN_IF_ERROR(UnpackValues(blob, items->data()));
  AsItems(blob, items);
  return KDC_OK;
}

kdc_status DenseItems(const ParsedBlob& blob, uint8_t* items) {
  if (blob.is_by_rows() && !blob.half_float) {
    return UnpackValues(blob, items);
  }
  std::vector<uint8_t> scanned;
  KDC_RETURN_IF_ERROR(StoredItems(blob, &scanned));
  if (scanned.empty()) return KDC_OK;
  const MatrixShape matrix = blob.matrix();
  const size_t item_size = ItemSize(blob.info.dtype);
  if (blob.is_by_rows() || matrix.rows == 1) {
    std::memcpy(items, scanned.data(), scanned.size());
  } else if (item_size == 4) {
    Transpose<4>(scanned.data(), matrix, items);
  } else if (item_size == 2) {
    Transpose<2>(scanned.data(), matrix, items);
  } else {
    Transpose<1>(scanned.data(), matrix, items);
  }
  return KDC_OK;
}

kdc_status StoredScales(const ParsedBlob& blob, std::vector<double>* codebook,
                        std::vector<double>* scales) {
  KDC_RETURN_IF_ERROR(UnpackDoubles(blob.stored_values, codebook));
  return UnpackDoubles(blob.stored_scales, scales);
}

void ApplyScales(const ParsedBlob& blob, const LineValues& values,
                 bool are_columns, size_t first_line, SparseRows* lines) {
  const kdc_blob_info& info = blob.info;
  const size_t num_channels = values.scales.size();
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
      const uint32_t pattern =
          ScaledPattern(values.centroids[lines->indices[i]],
                        values.scales[channel], info.dtype);
      std::memcpy(&lines->values[item_size * i], &pattern, item_size);
    }
  }
  lines->indices.clear();
  lines->codebook.clear();
}

kdc_status UnpackLineValues(const ParsedBlob& blob, LineValues* values) {
  if (blob.info.scale_axis != KDC_NO_SCALE) {
    return StoredScales(blob, &values->centroids, &values->scales);
  }
  if (blob.info.num_centroids != 0 || blob.info.line_classes != 0) {
    return StoredItems(blob, &values->items);
  }
  return KDC_OK;
}

void FillValues(const ParsedBlob& blob, const LineValues& values,
                size_t first_line, size_t first_entry, SparseRows* lines) {
  lines->codebook.clear();
  lines->values.clear();
  const kdc_blob_info& info = blob.info;
  if (info.scale_axis != KDC_NO_SCALE) {
    ApplyScales(blob, values, !blob.is_by_rows(), first_line, lines);
  } else if (info.num_centroids != 0) {
    lines->codebook = values.items;
  } else if (info.line_classes != 0) {
    const size_t item_size = ItemSize(info.dtype);
    const uint8_t* items = &values.items[item_size * first_entry];
    lines->values.assign(items, items + item_size * lines->columns.size());
  } else {
    const size_t item_size = blob.stored_values.item_size;
    const uint8_t* stored =
        blob.stored_values.packed.bytes + item_size * first_entry;
    lines->values.assign(stored, stored + item_size * lines->columns.size());
    AsItems(blob, &lines->values);
  }
}

}  // namespace keras_dc
