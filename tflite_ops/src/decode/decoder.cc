#include "decode/decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/bit_stream.h"
#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/position_decoder.h"
#include "decode/stored_values.h"
#include "decode/symbol_decoder.h"

namespace keras_dc {
namespace {

// FORMAT.md, 9.5: indices of the arithmetic coder.
kdc_status DecodeArithmeticIndices(const ParsedBlob& blob, uint8_t* indices) {
  const uint64_t line_length = blob.line_length();
  std::vector<uint8_t> is_negative;
  KDC_RETURN_IF_ERROR(NegativeCentroids(blob, &is_negative));
  IndexModel model(std::move(is_negative), line_length, blob.period);
  const ByteRange stream = blob.index_streams[0];
  RangeDecoder decoder(stream.bytes, stream.size);
  const auto num_centroids = static_cast<size_t>(blob.info.num_centroids);
  bool is_valid = true;
  const kdc_status status =
      WalkPositions(blob, line_length, [&](uint64_t line, uint64_t offset) {
        if (!is_valid) return;
        model.Begin(line, offset);
        for (int bit = 0; bit < model.num_bits(); ++bit) {
          model.Update(decoder.Decode(model.Predict()));
        }
        is_valid = model.index() < num_centroids;
        if (!is_valid) return;
        *indices++ = static_cast<uint8_t>(model.index());
        model.End();
      });
  KDC_RETURN_IF_ERROR(status);
  return is_valid && decoder.AtCleanEnd() ? KDC_OK : KDC_BAD_STREAM;
}

kdc_status DecodeIndices(const ParsedBlob& blob, uint8_t* indices) {
  if (!blob.has_indices()) {
    for (size_t i = 0; i < blob.num_entries(); ++i) indices[i] = 0;
    return KDC_OK;
  }
  if (blob.is_arithmetic()) return DecodeArithmeticIndices(blob, indices);
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

// From a scan by columns to the rows' starts and columns. The entries' indices
// and values are put in the order of the rows.
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
  // Counting sort by row. It is stable, so columns ascend within a row.
  for (const uint32_t row : rows) ++sparse->row_begin[row + 1];
  for (size_t row = 0; row < num_rows; ++row) {
    sparse->row_begin[row + 1] += sparse->row_begin[row];
  }
  std::vector<uint32_t> next(sparse->row_begin.begin(),
                             sparse->row_begin.end() - 1);
  std::vector<uint32_t> target(num_entries);
  sparse->columns.resize(num_entries);
  for (size_t i = 0; i < num_entries; ++i) {
    target[i] = next[rows[i]]++;
    sparse->columns[target[i]] = columns[i];
  }
  Permute(target, 1, &sparse->indices);
  Permute(target, ItemSize(blob.info.dtype), &sparse->values);
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

// A scaled tensor is decoded by way of the sparse form, where channels are
// known.
kdc_status DecodeScaledDense(const ParsedBlob& blob, size_t item_size,
                             uint8_t* values) {
  SparseRows sparse;
  KDC_RETURN_IF_ERROR(DecodeSparse(blob, &sparse));
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

}  // namespace

kdc_status DecodeUnscaled(const ParsedBlob& blob, SparseRows* sparse) {
  *sparse = SparseRows();
  const MatrixShape matrix = blob.matrix();
  sparse->dtype = static_cast<kdc_dtype>(blob.info.dtype);
  sparse->num_rows = static_cast<int64_t>(matrix.rows);
  sparse->num_columns = static_cast<int64_t>(matrix.columns);
  sparse->row_begin.assign(matrix.rows + 1, 0);
  if (blob.info.num_centroids == 0) {
    KDC_RETURN_IF_ERROR(StoredItems(blob, &sparse->values));
  } else {
    if (blob.info.scale_axis == KDC_NO_SCALE) {
      KDC_RETURN_IF_ERROR(StoredItems(blob, &sparse->codebook));
    }
    sparse->indices.resize(blob.num_entries());
    KDC_RETURN_IF_ERROR(DecodeIndices(blob, sparse->indices.data()));
  }
  if (!blob.is_by_rows()) return DecodeColumnMajor(blob, sparse);
  sparse->columns.resize(blob.num_entries());
  return DecodeRowMajor(blob, sparse->row_begin.data(), sparse->columns.data());
}

kdc_status DecodeSparse(const ParsedBlob& blob, SparseRows* sparse) {
  KDC_RETURN_IF_ERROR(DecodeUnscaled(blob, sparse));
  if (blob.info.scale_axis == KDC_NO_SCALE) return KDC_OK;
  LineValues values;
  KDC_RETURN_IF_ERROR(UnpackLineValues(blob, &values));
  ApplyScales(blob, values, false, 0, sparse);
  return KDC_OK;
}

kdc_status DecodeDense(const ParsedBlob& blob, void* values,
                       size_t values_size) {
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
    return DecodeScaledDense(blob, item_size, out);
  }
  if (blob.info.num_centroids == 0 && blob.info.gap_bits == 0 &&
      !blob.is_arithmetic()) {
    return DenseItems(blob, out);
  }
  std::vector<uint8_t> stored;
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

kdc_status DecodeEntries(const ParsedBlob& blob, const EntryBuffers& buffers) {
  if (blob.info.num_centroids == 0) return KDC_INVALID_ARGUMENT;
  const size_t num_entries = blob.num_entries();
  const auto num_rows = static_cast<size_t>(blob.matrix().rows);
  if (buffers.row_begin_size != num_rows + 1 ||
      buffers.num_entries != num_entries) {
    return KDC_WRONG_BUFFER_SIZE;
  }
  KDC_RETURN_IF_ERROR(DecodeIndices(blob, buffers.indices));
  if (blob.is_by_rows()) {
    return DecodeRowMajor(blob, buffers.row_begin, buffers.columns);
  }
  SparseRows sparse;
  sparse.row_begin.assign(num_rows + 1, 0);
  sparse.indices.assign(buffers.indices, buffers.indices + num_entries);
  KDC_RETURN_IF_ERROR(DecodeColumnMajor(blob, &sparse));
  std::copy(sparse.row_begin.begin(), sparse.row_begin.end(),
            buffers.row_begin);
  std::copy(sparse.columns.begin(), sparse.columns.end(), buffers.columns);
  std::copy(sparse.indices.begin(), sparse.indices.end(), buffers.indices);
  return KDC_OK;
}

}  // namespace keras_dc
