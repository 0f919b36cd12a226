#include "adaptive_reader.h"

#include "format.h"
#include "stored_values.h"

namespace keras_dc {

AdaptiveReader::AdaptiveReader(const ParsedBlob& blob) : blob_(blob) {
  const kdc_blob_info& info = blob.info;
  const auto num_weights = static_cast<uint64_t>(info.num_weights);
  const MatrixShape matrix = AsMatrix(info.shape, info.rank, num_weights);
  const bool by_rows = info.column_major == 0;
  num_lines_ = by_rows ? matrix.rows : matrix.columns;
  line_length_ = by_rows ? matrix.columns : matrix.rows;
  if (blob.num_entries() == 0) return;
  mask_model_.emplace(line_length_, num_weights, blob.num_entries(),
                      blob.period);
  mask_.emplace(blob.gap_streams[0].bytes, blob.gap_streams[0].size);
  if (!blob.has_indices()) return;
  index_model_.emplace(NegativeCentroids(blob), line_length_, blob.period);
  indices_.emplace(blob.index_streams[0].bytes, blob.index_streams[0].size);
}

// FORMAT.md, 9.5.
kdc_status AdaptiveReader::ReadIndex(uint64_t offset, uint8_t* index) {
  if (!index_model_) {
    *index = 0;
    return KDC_OK;
  }
  index_model_->Begin(line_, offset);
  for (int bit = 0; bit < index_model_->num_bits(); ++bit) {
    index_model_->Update(indices_->Decode(index_model_->Predict()));
  }
  if (index_model_->index() >= static_cast<size_t>(blob_.info.num_centroids)) {
    return KDC_BAD_STREAM;
  }
  *index = static_cast<uint8_t>(index_model_->index());
  index_model_->End();
  return KDC_OK;
}

kdc_status AdaptiveReader::Next(size_t num_entries, SparseTensor* lines) {
  const size_t num_kept = blob_.num_entries();
  const size_t first_line = line();
  const size_t first_entry = num_read_;
  const bool has_codebook = blob_.info.num_centroids != 0;
  lines->dtype = static_cast<kdc_dtype>(blob_.info.dtype);
  lines->num_columns = static_cast<int64_t>(line_length_);
  lines->row_begin.assign(1, 0);
  lines->columns.clear();
  lines->indices.clear();
  do {
    for (uint64_t offset = 0; offset < line_length_ && num_read_ < num_kept;
         ++offset) {
      const int is_kept = mask_->Decode(mask_model_->Predict());
      mask_model_->Update(is_kept);
      if (is_kept == 0) continue;
      ++num_read_;
      lines->columns.push_back(static_cast<uint32_t>(offset));
      if (!has_codebook) continue;
      lines->indices.push_back(0);
      const kdc_status status = ReadIndex(offset, &lines->indices.back());
      if (status != KDC_OK) return status;
    }
    lines->row_begin.push_back(static_cast<uint32_t>(lines->columns.size()));
    ++line_;
  } while (!is_done() && lines->columns.size() < num_entries);
  if (is_done()) {
    if (num_read_ != num_kept) return KDC_BAD_POSITION;
    if ((mask_ && !mask_->AtCleanEnd()) ||
        (indices_ && !indices_->AtCleanEnd())) {
      return KDC_BAD_STREAM;
    }
  }
  lines->num_rows = static_cast<int64_t>(line() - first_line);
  FillValues(blob_, first_line, first_entry, lines);
  return KDC_OK;
}

}  // namespace keras_dc
