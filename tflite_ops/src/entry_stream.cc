#include "entry_stream.h"

#include <cstring>

#include "format.h"
#include "stored_values.h"
#include "symbol_decoder.h"

namespace keras_dc {
namespace {

// Decodes stream `i` of several (FORMAT.md, 6): it holds its share of the
// symbols and nothing else, as a lone stream does.
kdc_status DecodeOne(const CodeLengths& lengths,
                     const std::vector<ByteRange>& streams, size_t num_symbols,
                     int i, std::vector<uint8_t>* symbols) {
  const SymbolRange range =
      StreamRange(num_symbols, static_cast<int>(streams.size()), i);
  symbols->resize(range.end - range.begin);
  return DecodeSymbols(lengths, {streams[static_cast<size_t>(i)]},
                       symbols->size(), symbols->data());
}

}  // namespace

kdc_status EntryStream::Open(const uint8_t* bytes, size_t size) {
  const kdc_status status = ReadBlob(bytes, size, &blob_);
  if (status != KDC_OK) return status;
  const kdc_blob_info& info = blob_.info;
  if (blob_.is_adaptive() || info.scale_axis != KDC_NO_SCALE ||
      info.dtype != KDC_FLOAT32 || info.num_centroids == 0 ||
      info.gap_bits == 0) {
    return KDC_INVALID_ARGUMENT;
  }
  const std::vector<uint8_t> items = StoredItems(blob_);
  codebook_.resize(static_cast<size_t>(info.num_centroids));
  std::memcpy(codebook_.data(), items.data(), items.size());
  return KDC_OK;
}

kdc_status EntryStream::NextIndices() {
  if (!blob_.has_indices()) {
    // One centroid: no stream, and as many zeros as are asked for.
    indices_.assign(blob_.num_entries(), 0);
    return KDC_OK;
  }
  do {
    if (next_index_stream_ == static_cast<int>(blob_.index_streams.size())) {
      return KDC_BAD_POSITION;
    }
    const kdc_status status =
        DecodeOne(blob_.index_lengths, blob_.index_streams, blob_.num_entries(),
                  next_index_stream_++, &indices_);
    if (status != KDC_OK) return status;
  } while (indices_.empty());
  return KDC_OK;
}

template <typename Visit>
kdc_status EntryStream::ForEachEntry(Visit visit) {
  const kdc_blob_info& info = blob_.info;
  const MatrixShape matrix =
      AsMatrix(info.shape, info.rank, static_cast<uint64_t>(info.num_weights));
  const uint64_t line_length =
      info.column_major != 0 ? matrix.rows : matrix.columns;
  const auto num_weights = static_cast<uint64_t>(info.num_weights);
  const size_t num_kept = blob_.num_entries();
  const uint32_t filler = FillerSymbol(info.gap_bits);
  uint64_t line = 0, offset = 0, line_begin = 0;
  size_t num_seen = 0, index = 0;
  bool ends_in_filler = false;
  indices_.clear();
  next_index_stream_ = 0;
  for (int i = 0; i < static_cast<int>(blob_.gap_streams.size()); ++i) {
    kdc_status status = DecodeOne(blob_.gap_lengths, blob_.gap_streams,
                                  blob_.num_gap_symbols(), i, &gaps_);
    if (status != KDC_OK) return status;
    if (!gaps_.empty()) ends_in_filler = gaps_.back() == filler;
    for (const uint8_t gap : gaps_) {
      offset += gap;
      if (gap == filler) continue;
      while (offset >= line_length) {
        offset -= line_length;
        line_begin += line_length;
        ++line;
      }
      if (num_seen == num_kept || line_begin + offset >= num_weights) {
        return KDC_BAD_POSITION;
      }
      if (index == indices_.size()) {
        status = NextIndices();
        if (status != KDC_OK) return status;
        index = 0;
      }
      status = visit(line, offset, indices_[index++]);
      if (status != KDC_OK) return status;
      ++offset;
      ++num_seen;
    }
  }
  return num_seen == num_kept && !ends_in_filler ? KDC_OK : KDC_BAD_POSITION;
}

kdc_status EntryStream::AddProduct(const float* input, float* output) {
  const bool by_columns = blob_.info.column_major != 0;
  return ForEachEntry([&](uint64_t line, uint64_t offset, uint8_t index) {
    const float weight = codebook_[index];
    if (by_columns) {
      output[offset] += weight * input[line];
    } else {
      output[line] += weight * input[offset];
    }
    return KDC_OK;
  });
}

kdc_status EntryStream::ForEachBlock(
    size_t block_rows,
    const std::function<kdc_status(const SparseTensor&, size_t)>& visit) {
  const kdc_blob_info& info = blob_.info;
  if (!is_by_rows() || block_rows == 0) return KDC_INVALID_ARGUMENT;
  const MatrixShape matrix =
      AsMatrix(info.shape, info.rank, static_cast<uint64_t>(info.num_weights));
  const auto num_rows = static_cast<size_t>(matrix.rows);
  SparseTensor block;
  block.shape.assign(info.shape, info.shape + info.rank);
  block.num_columns = static_cast<int64_t>(matrix.columns);
  block.codebook.resize(codebook_.size() * sizeof(float));
  std::memcpy(block.codebook.data(), codebook_.data(), block.codebook.size());
  block.row_begin.push_back(0);
  size_t first_row = 0;
  const auto end_row = [&block] {
    block.row_begin.push_back(static_cast<uint32_t>(block.columns.size()));
  };
  // Hands the rows of a full block on, and begins the next one.
  const auto end_block = [&] {
    const size_t size = block.row_begin.size() - 1;
    block.num_rows = static_cast<int64_t>(size);
    const kdc_status status = visit(block, first_row);
    first_row += size;
    block.row_begin.resize(1);
    block.columns.clear();
    block.indices.clear();
    return status;
  };
  // Ends the rows before `row`, with their blocks.
  const auto end_rows_before = [&](size_t row) {
    while (first_row + block.row_begin.size() - 1 < row) {
      end_row();
      if (block.row_begin.size() <= block_rows) continue;
      const kdc_status status = end_block();
      if (status != KDC_OK) return status;
    }
    return KDC_OK;
  };
  kdc_status status =
      ForEachEntry([&](uint64_t line, uint64_t offset, uint8_t index) {
        const kdc_status ended = end_rows_before(static_cast<size_t>(line));
        block.columns.push_back(static_cast<uint32_t>(offset));
        block.indices.push_back(index);
        return ended;
      });
  if (status == KDC_OK) status = end_rows_before(num_rows);
  if (status != KDC_OK || block.row_begin.size() == 1) return status;
  return end_block();
}

}  // namespace keras_dc
