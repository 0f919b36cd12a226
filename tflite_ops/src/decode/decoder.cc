#include "decode/decoder.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "common/bit_stream.h"
#include "common/format.h"
#include "decode/blob_reader.h"
#include "decode/position_decoder.h"
#include "decode/stored_values.h"
#include "decode/symbol_decoder.h"

namespace keras_dc {
namespace {

MatrixShape ShapeOf(const ParsedBlob& blob) {
  return AsMatrix(blob.info.shape, blob.info.rank,
                  static_cast<uint64_t>(blob.info.num_weights));
}

// FORMAT.md, 9.5: indices of the arithmetic coder.
kdc_status DecodeArithmeticIndices(const ParsedBlob& blob, uint8_t* indices) {
  const MatrixShape matrix = ShapeOf(blob);
  const uint64_t line_length =
      blob.info.column_major != 0 ? matrix.rows : matrix.columns;
  std::vector<uint8_t> is_negative;
  kdc_status status = NegativeCentroids(blob, &is_negative);
  if (status != KDC_OK) return status;
  IndexModel model(std::move(is_negative), line_length, blob.period);
  const ByteRange stream = blob.index_streams[0];
  RangeDecoder decoder(stream.bytes, stream.size);
  const auto num_centroids = static_cast<size_t>(blob.info.num_centroids);
  bool is_valid = true;
  status =
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
  if (status != KDC_OK) return status;
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

// Moves `items` of `item_size` bytes to the places in `target`.
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

kdc_status DecodeColumnMajor(const ParsedBlob& blob, const MatrixShape& matrix,
                             SparseRows* tensor) {
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

}  // namespace

kdc_status DecodeUnscaled(const ParsedBlob& blob, SparseRows* tensor) {
  kdc_status status = KDC_OK;
  *tensor = SparseRows();
  const MatrixShape matrix = ShapeOf(blob);
  tensor->dtype = static_cast<kdc_dtype>(blob.info.dtype);
  tensor->shape.assign(blob.info.shape, blob.info.shape + blob.info.rank);
  tensor->num_rows = static_cast<int64_t>(matrix.rows);
  tensor->num_columns = static_cast<int64_t>(matrix.columns);
  tensor->row_begin.assign(matrix.rows + 1, 0);
  const bool is_scaled = blob.info.scale_axis != KDC_NO_SCALE;
  if (blob.info.num_centroids != 0) {
    if (!is_scaled) status = StoredItems(blob, &tensor->codebook);
    if (status != KDC_OK) return status;
    tensor->indices.resize(blob.num_entries());
    status = DecodeIndices(blob, tensor->indices.data());
    if (status != KDC_OK) return status;
  } else {
    status = StoredItems(blob, &tensor->values);
    if (status != KDC_OK) return status;
  }
  if (blob.info.column_major != 0) {
    status = DecodeColumnMajor(blob, matrix, tensor);
  } else {
    tensor->columns.resize(blob.num_entries());
    status = DecodeRowMajor(blob, matrix, tensor->row_begin.data(),
                            tensor->columns.data());
  }
  return status;
}

namespace {

kdc_status DecodeSparseOrThrow(const uint8_t* bytes, size_t size,
                               SparseRows* tensor) {
  ParsedBlob blob;
  kdc_status status = ReadBlob(bytes, size, &blob);
  if (status != KDC_OK) return status;
  status = DecodeUnscaled(blob, tensor);
  if (status == KDC_OK && blob.info.scale_axis != KDC_NO_SCALE) {
    LineValues values;
    status = UnpackLineValues(blob, &values);
    if (status == KDC_OK) ApplyScales(blob, values, false, 0, tensor);
  }
  return status;
}

// A scaled tensor takes the way over the sparse form, where channels are known.
kdc_status DecodeScaledDense(const uint8_t* bytes, size_t size,
                             size_t item_size, uint8_t* values) {
  SparseRows tensor;
  const kdc_status status = DecodeSparseOrThrow(bytes, size, &tensor);
  if (status != KDC_OK) return status;
  const auto num_columns = static_cast<size_t>(tensor.num_columns);
  for (size_t row = 0; row < static_cast<size_t>(tensor.num_rows); ++row) {
    const size_t end = tensor.row_begin[row + 1];
    for (size_t i = tensor.row_begin[row]; i < end; ++i) {
      const size_t place = row * num_columns + tensor.columns[i];
      std::memcpy(values + item_size * place, &tensor.values[item_size * i],
                  item_size);
    }
  }
  return KDC_OK;
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
  // A product could overflow where size_t has 32 bits.
  if (values_size % item_size != 0 || values_size / item_size != num_weights) {
    return KDC_WRONG_BUFFER_SIZE;
  }
  auto* out = static_cast<uint8_t*>(values);
  std::memset(out, 0, values_size);
  if (blob.info.scale_axis != KDC_NO_SCALE) {
    return DecodeScaledDense(bytes, size, item_size, out);
  }
  if (blob.info.num_centroids == 0 && blob.info.gap_bits == 0 &&
      !blob.is_arithmetic()) {
    return DenseItems(blob, out);
  }
  std::vector<uint8_t> stored;
  status = StoredItems(blob, &stored);
  if (status != KDC_OK) return status;
  std::vector<uint8_t> indices;
  if (blob.info.num_centroids != 0) {
    indices.resize(blob.num_entries());
    status = DecodeIndices(blob, indices.data());
    if (status != KDC_OK) return status;
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

kdc_status DecodeEntriesOrThrow(const uint8_t* bytes, size_t size,
                                const EntryBuffers& buffers) {
  ParsedBlob blob;
  kdc_status status = ReadBlob(bytes, size, &blob);
  if (status != KDC_OK) return status;
  if (blob.info.num_centroids == 0) return KDC_INVALID_ARGUMENT;
  const MatrixShape matrix = ShapeOf(blob);
  const size_t num_entries = blob.num_entries();
  if (buffers.row_begin_size != matrix.rows + 1 ||
      buffers.num_entries != num_entries) {
    return KDC_WRONG_BUFFER_SIZE;
  }
  status = DecodeIndices(blob, buffers.indices);
  if (status != KDC_OK) return status;
  if (blob.info.column_major == 0) {
    return DecodeRowMajor(blob, matrix, buffers.row_begin, buffers.columns);
  }
  SparseRows tensor;
  tensor.row_begin.assign(matrix.rows + 1, 0);
  tensor.indices.assign(buffers.indices, buffers.indices + num_entries);
  status = DecodeColumnMajor(blob, matrix, &tensor);
  if (status != KDC_OK) return status;
  std::copy(tensor.row_begin.begin(), tensor.row_begin.end(),
            buffers.row_begin);
  std::copy(tensor.columns.begin(), tensor.columns.end(), buffers.columns);
  std::copy(tensor.indices.begin(), tensor.indices.end(), buffers.indices);
  return KDC_OK;
}

}  // namespace

kdc_status DecodeSparse(const uint8_t* blob, size_t blob_size,
                        SparseRows* tensor) {
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

kdc_status DecodeEntries(const uint8_t* blob, size_t blob_size,
                         const EntryBuffers& buffers) {
  try {
    return DecodeEntriesOrThrow(blob, blob_size, buffers);
  } catch (const std::bad_alloc&) {
    return KDC_OUT_OF_MEMORY;
  }
}

}  // namespace keras_dc
