#include "decode/streaming/arithmetic_reader.h"

#include <utility>

#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/stored_values.h"

namespace keras_dc {

ArithmeticReader::ArithmeticReader(const ParsedBlob& blob)
    : blob_(blob),
      num_lines_(blob.num_lines()),
      line_length_(blob.line_length()) {}

kdc_status ArithmeticReader::Open() {
  KDC_RETURN_IF_ERROR(UnpackLineValues(blob_, &values_));
  if (blob_.num_entries() == 0) return KDC_OK;
  mask_model_.emplace(line_length_,
                      static_cast<uint64_t>(blob_.info.num_weights),
                      blob_.num_entries(), blob_.period);
  mask_.emplace(blob_.gap_streams[0].bytes, blob_.gap_streams[0].size);
  if (blob_.info.num_centroids == 0 && blob_.info.value_planes != 0) {
    planes_.emplace(blob_.stored_values);
  }
  if (!blob_.has_indices()) return KDC_OK;
  std::vector<uint8_t> is_negative;
  KDC_RETURN_IF_ERROR(NegativeCentroids(blob_, &is_negative));
  index_model_.emplace(std::move(is_negative), line_length_, blob_.period);
  indices_.emplace(blob_.index_streams[0].bytes, blob_.index_streams[0].size);
  return KDC_OK;
}

// FORMAT.md, 9.5.
kdc_status ArithmeticReader::ReadIndex(uint64_t offset, uint8_t* index) {
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

kdc_status ArithmeticReader::Next(size_t num_entries, SparseRows* lines) {
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
      KDC_RETURN_IF_ERROR(ReadIndex(offset, &lines->indices.back()));
    }
    lines->row_begin.push_back(static_cast<uint32_t>(lines->columns.size()));
    ++line_;
  } while (!is_done() && lines->columns.size() < num_entries);
  if (planes_) {
    KDC_RETURN_IF_ERROR(planes_->Next(lines->columns.size(), &lines->values));
  }
  if (is_done()) {
    if (num_read_ != num_kept) return KDC_BAD_POSITION;
    if ((mask_ && !mask_->AtCleanEnd()) ||
        (indices_ && !indices_->AtCleanEnd()) ||
        (planes_ && !planes_->AtCleanEnd())) {
      return KDC_BAD_STREAM;
    }
  }
  lines->num_rows = static_cast<int64_t>(line() - first_line);
  if (planes_) {
    AsItems(blob_, &lines->values);
  } else {
    FillValues(blob_, values_, first_line, first_entry, lines);
  }
  return KDC_OK;
}

}  // namespace keras_dc
