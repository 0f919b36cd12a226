// Writes blobs of the arithmetic coder (FORMAT.md, 9). The inverse of the entry
// reader.
#ifndef KERAS_DC_SRC_ENCODE_ENTRY_WRITER_H_
#define KERAS_DC_SRC_ENCODE_ENTRY_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "encode/number_writer.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// A tensor in the order of its scan, and how it is to be coded.
struct EntryDraft {
  int32_t dtype = KDC_FLOAT32;
  std::vector<int64_t> shape;
  int32_t zero_point = 0;
  bool column_major = false;
  size_t line_length = 0;
  // Entries of line i are those from line_begin[i] to line_begin[i + 1] - 1.
  std::vector<uint32_t> line_begin;
  std::vector<uint32_t> offsets;
  // With a codebook: its centroids, ascending, and the index of each entry;
  // otherwise the value of each entry.
  bool has_codebook = false;
  PackedNumbers numbers;
  std::vector<uint8_t> indices;
  bool half_float = false;
  // With scales.
  kdc_scale_axis scale_axis = KDC_NO_SCALE;
  bool wide = false;
  PackedNumbers scales;
  // How the coder predicts.
  bool has_mask_model = false;
  uint64_t period = 0;

  size_t num_lines() const { return line_begin.size() - 1; }
  size_t num_entries() const { return offsets.size(); }
  size_t num_weights() const { return num_lines() * line_length; }
};

// Sorts the centroids, and drops those that repeat.
void SortCodebook(EntryDraft* draft);

std::vector<uint8_t> WriteEntryBlob(const EntryDraft& draft);

// The bytes that the entries of the first lines take, about `num_weights`
// weights in all: enough to compare scans and periods.
size_t SampleBytes(const EntryDraft& draft, size_t num_weights);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_ENTRY_WRITER_H_
