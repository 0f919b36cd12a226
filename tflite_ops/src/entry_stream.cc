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

kdc_status EntryStream::AddProduct(const float* input, float* output) {
  const kdc_blob_info& info = blob_.info;
  const MatrixShape matrix =
      AsMatrix(info.shape, info.rank, static_cast<uint64_t>(info.num_weights));
  const bool by_columns = info.column_major != 0;
  const uint64_t line_length = by_columns ? matrix.rows : matrix.columns;
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
      const float weight = codebook_[indices_[index++]];
      if (by_columns) {
        output[offset] += weight * input[line];
      } else {
        output[line] += weight * input[offset];
      }
      ++offset;
      ++num_seen;
    }
  }
  return num_seen == num_kept && !ends_in_filler ? KDC_OK : KDC_BAD_POSITION;
}

}  // namespace keras_dc
