#include "decode/decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/bit_stream.h"
#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/entry_reader.h"
#include "decode/position_decoder.h"
#include "decode/stored_values.h"
#include "decode/symbol_decoder.h"

namespace keras_dc {
namespace {

kdc_status DecodeIndices(const ParsedBlob& blob, uint8_t* indices) {
  if (!blob.has_indices()) {
    for (size_t i = 0; i < blob.num_entries(); ++i) indices[i] = 0;
    return KDC_OK;
  }
  return DecodeSymbols(blob.index_lengths, blob.index_streams,
                       blob.num_entries(), indices);
}

// Moves item i, of `item_size` bytes, to place target[i].
template <typename Bytes>
void Permute(const std::vector<uint32_t>& target, size_t item_size,
             Bytes* items) {
  if (items->empty()) return;
  Bytes moved(items->size());
  for (size_t i = 0; i < target.size(); ++i) {
    std::memcpy(&moved[target[i] * item_size], &(*items)[i * item_size],
                item_size);
  }
  items->swap(moved);
}

// From entries of a scan by columns, each at its row and column, to the rows'
// starts and columns. The entries' indices and values are put in the order of
// the rows.
void SortByRow(const ParsedBlob& blob, const std::vector<uint32_t>& rows,
               const std::vector<uint32_t>& columns, SparseRows* sparse) {
  const auto num_rows = static_cast<size_t>(blob.line_length());
  // Counting sort by row. It is stable, so columns ascend within a row.
  for (const uint32_t row : rows) ++sparse->row_begin[row + 1];
  for (size_t row = 0; row < num_rows; ++row) {
    sparse->row_begin[row + 1] += sparse->row_begin[row];
  }
  std::vector<uint32_t> next(sparse->row_begin.begin(),
                             sparse->row_begin.end() - 1);
  std::vector<uint32_t> target(rows.size());
  sparse->columns.resize(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    target[i] = next[rows[i]]++;
    sparse->columns[target[i]] = columns[i];
  }
  Permute(target, 1, &sparse->indices);
  Permute(target, ItemSize(blob.info.dtype), &sparse->values);
}

kdc_status DecodeColumnMajor(const ParsedBlob& blob, SparseRows* sparse) {
  const auto num_rows = static_cast<size_t>(blob.line_length());
  const size_t num_entries = blob.num_entries();
  std::vector<uint32_t> rows, columns;
  rows.reserve(num_entries);
  columns.reserve(num_entries);
  const kdc_status status =
      WalkPositions(blob, num_rows, [&](uint64_t line, uint64_t offset) {
        rows.push_back(static_cast<uint32_t>(offset));
        columns.push_back(static_cast<uint32_t>(line));
      });
  KDC_RETURN_IF_ERROR(status);
  SortByRow(blob, rows, columns, sparse);
  return KDC_OK;
}

// The positions, and the indices or the values, of an arithmetic blob.
kdc_status DecodeArithmetic(const ParsedBlob& blob, size_t num_threads,
                            SparseRows* sparse) {
  EntryLines lines;
  KDC_RETURN_IF_ERROR(DecodeLines(blob, num_threads, &lines));
  if (blob.info.num_centroids != 0) {
    sparse->indices.assign(lines.items.begin(), lines.items.end());
  } else {
    sparse->values = std::move(lines.items);
    AsItems(blob, &sparse->values);
  }
  if (blob.is_by_rows()) {
    sparse->row_begin = std::move(lines.line_begin);
    sparse->columns.assign(lines.offsets.begin(), lines.offsets.end());
    return KDC_OK;
  }
  std::vector<uint32_t> columns(lines.offsets.size());
  for (size_t line = 0; line + 1 < lines.line_begin.size(); ++line) {
    std::fill(columns.begin() + lines.line_begin[line],
              columns.begin() + lines.line_begin[line + 1],
              static_cast<uint32_t>(line));
  }
  SortByRow(blob, lines.offsets, columns, sparse);
  return KDC_OK;
}

// Writes the entries' values to their places in the dense tensor. The item size
// is fixed, so that each copy is one move.
template <size_t kItemSize>
kdc_status Scatter(const ParsedBlob& blob, const std::vector<uint8_t>& stored,
                   const uint8_t* indices, uint8_t* values) {
  const uint64_t num_columns = blob.matrix().columns;
  const uint64_t line_stride = blob.is_by_rows() ? num_columns : 1;
  const uint64_t offset_stride = blob.is_by_rows() ? 1 : num_columns;
  const uint64_t line_length = blob.line_length();
  size_t entry = 0;
  return WalkPositions(blob, line_length, [&](uint64_t line, uint64_t offset) {
    const size_t source = indices != nullptr ? indices[entry] : entry;
    std::memcpy(
        values + kItemSize * (line * line_stride + offset * offset_stride),
        &stored[kItemSize * source], kItemSize);
    ++entry;
  });
}

void CopyTo(const EntryBuffers& buffers, const SparseRows& sparse) {
  std::copy(sparse.row_begin.begin(), sparse.row_begin.end(),
            buffers.row_begin);
  std::copy(sparse.columns.begin(), sparse.columns.end(), buffers.columns);
  std::copy(sparse.indices.begin(), sparse.indices.end(), buffers.indices);
}

// A scaled tensor is decoded by way of the sparse form, where channels are
// known.
kdc_status DecodeScaledDense(const ParsedBlob& blob, size_t num_threads,
                             size_t item_size, uint8_t* values) {
  SparseRows sparse;
  KDC_RETURN_IF_ERROR(DecodeSparse(blob, num_threads, &sparse));
  const auto num_columns = static_cast<size_t>(sparse.num_columns);
  for (size_t row = 0; row < static_cast<size_t>(sparse.num_rows); ++row) {
    const size_t end = sparse.row_begin[row + 1];
    for (size_t i = sparse.row_begin[row]; i < end; ++i) {
      const size_t place = row * num_columns + sparse.columns[i];
      std::memcpy(values + item_size * place, &sparse.values[item_size * i],
                  item_size);
    }
  }
  return KDC_OK;
}

// Weights less the zero point.
kdc_status DecodeFromZero(const ParsedBlob& blob, size_t num_threads,
                          void* values, size_t values_size) {
  const size_t item_size = ItemSize(blob.info.dtype);
  const size_t num_weights = static_cast<size_t>(blob.info.num_weights);
  if (num_weights == 0 && values_size == 0) return KDC_OK;
  if (values == nullptr) return KDC_INVALID_ARGUMENT;
  // A product could overflow where size_t has 32 bits.
  if (values_size % item_size != 0 || values_size / item_size != num_weights) {
    return KDC_WRONG_BUFFER_SIZE;
  }
  auto* out = static_cast<uint8_t*>(values);
  std::memset(out, 0, values_size);
  if (blob.info.scale_axis != KDC_NO_SCALE) {
    return DecodeScaledDense(blob, num_threads, item_size, out);
  }
  std::vector<uint8_t> stored;
  if (blob.is_arithmetic()) {
    if (blob.info.num_centroids != 0) {
      KDC_RETURN_IF_ERROR(StoredItems(blob, &stored));
    }
    return DecodeLinesDense(blob, num_threads, stored, out);
  }
  if (blob.info.num_centroids == 0 && blob.info.gap_bits == 0) {
    return DenseItems(blob, out);
  }
  KDC_RETURN_IF_ERROR(StoredItems(blob, &stored));
  std::vector<uint8_t> indices;
  if (blob.info.num_centroids != 0) {
    indices.resize(blob.num_entries());
    KDC_RETURN_IF_ERROR(DecodeIndices(blob, indices.data()));
  }
  const uint8_t* indices_or_null =
      blob.info.num_centroids != 0 ? indices.data() : nullptr;
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

kdc_status DecodeUnscaled(const ParsedBlob& blob, size_t num_threads,
                          SparseRows* sparse) {
  *sparse = SparseRows();
  const MatrixShape matrix = blob.matrix();
  sparse->dtype = static_cast<kdc_dtype>(blob.info.dtype);
  sparse->num_rows = static_cast<int64_t>(matrix.rows);
  sparse->num_columns = static_cast<int64_t>(matrix.columns);
  sparse->row_begin.assign(matrix.rows + 1, 0);
  if (blob.info.num_centroids != 0 && blob.info.scale_axis == KDC_NO_SCALE) {
    KDC_RETURN_IF_ERROR(StoredItems(blob, &sparse->codebook));
  }
  if (blob.is_arithmetic()) return DecodeArithmetic(blob, num_threads, sparse);
  if (blob.info.num_centroids == 0) {
    KDC_RETURN_IF_ERROR(StoredItems(blob, &sparse->values));
  } else {
    sparse->indices.resize(blob.num_entries());
    KDC_RETURN_IF_ERROR(DecodeIndices(blob, sparse->indices.data()));
  }
  if (!blob.is_by_rows()) return DecodeColumnMajor(blob, sparse);
  sparse->columns.resize(blob.num_entries());
  return DecodeRowMajor(blob, sparse->row_begin.data(), sparse->columns.data());
}

kdc_status DecodeSparse(const ParsedBlob& blob, size_t num_threads,
                        SparseRows* sparse) {
  KDC_RETURN_IF_ERROR(DecodeUnscaled(blob, num_threads, sparse));
  if (blob.info.scale_axis == KDC_NO_SCALE) return KDC_OK;
  LineValues values;
  KDC_RETURN_IF_ERROR(UnpackLineValues(blob, &values));
  ApplyScales(blob, values, false, 0, sparse);
  return KDC_OK;
}

kdc_status DecodeDense(const ParsedBlob& blob, size_t num_threads, void* values,
                       size_t values_size) {
  KDC_RETURN_IF_ERROR(DecodeFromZero(blob, num_threads, values, values_size));
  if (blob.info.zero_point == 0) return KDC_OK;
  auto* bytes = static_cast<uint8_t*>(values);
  for (size_t i = 0; i < values_size; ++i) {
    bytes[i] = static_cast<uint8_t>(bytes[i] + blob.info.zero_point);
  }
  return KDC_OK;
}

kdc_status DecodeEntries(const ParsedBlob& blob, const EntryBuffers& buffers) {
  if (blob.info.num_centroids == 0) return KDC_INVALID_ARGUMENT;
  const size_t num_entries = blob.num_entries();
  const auto num_rows = static_cast<size_t>(blob.matrix().rows);
  if (buffers.row_begin_size != num_rows + 1 ||
      buffers.num_entries != num_entries) {
    return KDC_WRONG_BUFFER_SIZE;
  }
  if (blob.is_arithmetic()) {
    SparseRows sparse;
    KDC_RETURN_IF_ERROR(DecodeUnscaled(blob, 1, &sparse));
    CopyTo(buffers, sparse);
    return KDC_OK;
  }
  KDC_RETURN_IF_ERROR(DecodeIndices(blob, buffers.indices));
  if (blob.is_by_rows()) {
    return DecodeRowMajor(blob, buffers.row_begin, buffers.columns);
  }
  SparseRows sparse;
  sparse.row_begin.assign(num_rows + 1, 0);
  sparse.indices.assign(buffers.indices, buffers.indices + num_entries);
  KDC_RETURN_IF_ERROR(DecodeColumnMajor(blob, &sparse));
  CopyTo(buffers, sparse);
  return KDC_OK;
}

}  // namespace keras_dc
