#include "decoder.h"

#include <cstring>
#include <new>

#include "bit_stream.h"
#include "blob_reader.h"
#include "format.h"
#include "half_float.h"
#include "symbol_decoder.h"

namespace keras_dc {
namespace {

// The codebook or the values as elements of the tensor's dtype.
std::vector<uint8_t> UnpackStored(const ParsedBlob& blob) {
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

kdc_status DecodeIndices(const ParsedBlob& blob,
                         std::vector<uint8_t>* indices) {
  indices->assign(blob.num_entries(), 0);
  if (blob.index_lengths.empty()) return KDC_OK;
  return DecodeSymbols(blob.index_lengths, blob.index_streams, indices->size(),
                       indices->data());
}

kdc_status DecodeGaps(const ParsedBlob& blob, std::vector<uint8_t>* gaps) {
  gaps->resize(blob.num_gap_symbols());
  if (gaps->empty()) return KDC_OK;
  return DecodeSymbols(blob.gap_lengths, blob.gap_streams, gaps->size(),
                       gaps->data());
}

// FORMAT.md, 4: calls `visit(line, offset)` for each kept weight in scan order,
// `line` being the row (or the column, in a column-major scan) of the weight
// and `offset` its place therein.
template <typename Visit>
kdc_status WalkPositions(const ParsedBlob& blob, uint64_t line_length,
                         Visit visit) {
  const uint64_t num_weights = static_cast<uint64_t>(blob.info.num_weights);
  const size_t num_kept = blob.num_entries();
  if (blob.info.gap_bits == 0) {
    uint64_t line = 0, offset = 0;
    for (size_t i = 0; i < num_kept; ++i) {
      visit(line, offset);
      if (++offset == line_length) {
        offset = 0;
        ++line;
      }
    }
    return KDC_OK;
  }
  std::vector<uint8_t> gaps;
  const kdc_status status = DecodeGaps(blob, &gaps);
  if (status != KDC_OK) return status;
  const uint32_t filler = FillerSymbol(blob.info.gap_bits);
  uint64_t line = 0, offset = 0, line_begin = 0;
  size_t visited = 0;
  for (const uint8_t gap : gaps) {
    offset += gap;
    if (gap == filler) continue;
    while (offset >= line_length) {
      offset -= line_length;
      line_begin += line_length;
      ++line;
    }
    if (visited == num_kept || line_begin + offset >= num_weights) {
      return KDC_BAD_POSITION;
    }
    visit(line, offset);
    ++visited;
    ++offset;
  }
  // A filler zero is a weight too, so the last ones must lie inside as well.
  if (visited != num_kept || line_begin + offset > num_weights) {
    return KDC_BAD_POSITION;
  }
  return KDC_OK;
}

MatrixShape ShapeOf(const ParsedBlob& blob) {
  return AsMatrix(blob.info.shape, blob.info.rank,
                  static_cast<uint64_t>(blob.info.num_weights));
}

kdc_status DecodeRowMajor(const ParsedBlob& blob, const MatrixShape& matrix,
                          SparseTensor* tensor) {
  tensor->columns.resize(blob.num_entries());
  uint32_t* columns = tensor->columns.data();
  uint32_t* row_begin = tensor->row_begin.data();
  uint32_t entry = 0;
  uint64_t row = 0;
  const kdc_status status =
      WalkPositions(blob, matrix.columns, [&](uint64_t line, uint64_t offset) {
        while (row < line) row_begin[++row] = entry;
        columns[entry++] = static_cast<uint32_t>(offset);
      });
  while (row < matrix.rows) row_begin[++row] = entry;
  return status;
}

// Moves `items` of `item_size` bytes to the places in `target`.
void Permute(const std::vector<uint32_t>& target, size_t item_size,
             std::vector<uint8_t>* items) {
  if (items->empty()) return;
  std::vector<uint8_t> moved(items->size());
  for (size_t i = 0; i < target.size(); ++i) {
    std::memcpy(&moved[target[i] * item_size], &(*items)[i * item_size],
                item_size);
  }
  items->swap(moved);
}

kdc_status DecodeColumnMajor(const ParsedBlob& blob, const MatrixShape& matrix,
                             SparseTensor* tensor) {
  const size_t num_entries = blob.num_entries();
  std::vector<uint32_t> rows, columns;
  rows.reserve(num_entries);
  columns.reserve(num_entries);
  const kdc_status status =
      WalkPositions(blob, matrix.rows, [&](uint64_t line, uint64_t offset) {
        rows.push_back(static_cast<uint32_t>(offset));
        columns.push_back(static_cast<uint32_t>(line));
      });
  if (status != KDC_OK) return status;
  // Counting sort by row. It is stable, so columns ascend within a row.
  for (const uint32_t row : rows) ++tensor->row_begin[row + 1];
  for (size_t row = 0; row < matrix.rows; ++row) {
    tensor->row_begin[row + 1] += tensor->row_begin[row];
  }
  std::vector<uint32_t> next(tensor->row_begin.begin(),
                             tensor->row_begin.end() - 1);
  std::vector<uint32_t> target(num_entries);
  tensor->columns.resize(num_entries);
  for (size_t i = 0; i < num_entries; ++i) {
    target[i] = next[rows[i]]++;
    tensor->columns[target[i]] = columns[i];
  }
  Permute(target, 1, &tensor->indices);
  Permute(target, ItemSize(blob.info.dtype), &tensor->values);
  return KDC_OK;
}

// Fixed item sizes, so that each copy is one move.
template <size_t kItemSize>
kdc_status Scatter(const ParsedBlob& blob, const std::vector<uint8_t>& stored,
                   const uint8_t* indices, uint8_t* values) {
  const MatrixShape matrix = ShapeOf(blob);
  const bool column_major = blob.info.column_major != 0;
  const uint64_t line_stride = column_major ? 1 : matrix.columns;
  const uint64_t offset_stride = column_major ? matrix.columns : 1;
  const uint64_t line_length = column_major ? matrix.rows : matrix.columns;
  size_t entry = 0;
  return WalkPositions(blob, line_length, [&](uint64_t line, uint64_t offset) {
    const size_t source = indices != nullptr ? indices[entry] : entry;
    std::memcpy(
        values + kItemSize * (line * line_stride + offset * offset_stride),
        &stored[kItemSize * source], kItemSize);
    ++entry;
  });
}

kdc_status DecodeSparseOrThrow(const uint8_t* bytes, size_t size,
                               SparseTensor* tensor) {
  ParsedBlob blob;
  kdc_status status = ReadBlob(bytes, size, &blob);
  if (status != KDC_OK) return status;
  *tensor = SparseTensor();
  const MatrixShape matrix = ShapeOf(blob);
  tensor->dtype = static_cast<kdc_dtype>(blob.info.dtype);
  tensor->shape.assign(blob.info.shape, blob.info.shape + blob.info.rank);
  tensor->num_rows = static_cast<int64_t>(matrix.rows);
  tensor->num_columns = static_cast<int64_t>(matrix.columns);
  tensor->row_begin.assign(matrix.rows + 1, 0);
  if (blob.info.num_centroids != 0) {
    tensor->codebook = UnpackStored(blob);
    status = DecodeIndices(blob, &tensor->indices);
    if (status != KDC_OK) return status;
  } else {
    tensor->values = UnpackStored(blob);
  }
  return blob.info.column_major != 0 ? DecodeColumnMajor(blob, matrix, tensor)
                                     : DecodeRowMajor(blob, matrix, tensor);
}

kdc_status DecodeDenseOrThrow(const uint8_t* bytes, size_t size, void* values,
                              size_t values_size) {
  ParsedBlob blob;
  kdc_status status = ReadBlob(bytes, size, &blob);
  if (status != KDC_OK) return status;
  const size_t item_size = ItemSize(blob.info.dtype);
  const size_t num_weights = static_cast<size_t>(blob.info.num_weights);
  if (num_weights == 0 && values_size == 0) return KDC_OK;
  if (values == nullptr) return KDC_INVALID_ARGUMENT;
  if (values_size != num_weights * item_size) return KDC_WRONG_BUFFER_SIZE;
  const std::vector<uint8_t> stored = UnpackStored(blob);
  std::vector<uint8_t> indices;
  if (blob.info.num_centroids != 0) {
    status = DecodeIndices(blob, &indices);
    if (status != KDC_OK) return status;
  }
  const uint8_t* indices_or_null =
      blob.info.num_centroids != 0 ? indices.data() : nullptr;
  auto* out = static_cast<uint8_t*>(values);
  std::memset(out, 0, values_size);
  switch (item_size) {
    case 1:
      return Scatter<1>(blob, stored, indices_or_null, out);
    case 2:
      return Scatter<2>(blob, stored, indices_or_null, out);
    default:
      return Scatter<4>(blob, stored, indices_or_null, out);
  }
}

}  // namespace

kdc_status DecodeSparse(const uint8_t* blob, size_t blob_size,
                        SparseTensor* tensor) {
  try {
    return DecodeSparseOrThrow(blob, blob_size, tensor);
  } catch (const std::bad_alloc&) {
    return KDC_OUT_OF_MEMORY;
  }
}

kdc_status DecodeDense(const uint8_t* blob, size_t blob_size, void* values,
                       size_t values_size) {
  try {
    return DecodeDenseOrThrow(blob, blob_size, values, values_size);
  } catch (const std::bad_alloc&) {
    return KDC_OUT_OF_MEMORY;
  }
}

}  // namespace keras_dc
