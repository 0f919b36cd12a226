// Reads the lines of a blob of the arithmetic coder, which can only be read in
// their order.
#ifndef KERAS_DC_SRC_DECODE_STREAMING_ARITHMETIC_READER_H_
#define KERAS_DC_SRC_DECODE_STREAMING_ARITHMETIC_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/adaptive_model.h"
#include "common/range_coder.h"
#include "common/sparse_rows.h"
#include "decode/blob_reader.h"
#include "decode/plane_parts.h"
#include "decode/stored_values.h"
#include "keras_dc/codec.h"

namespace keras_dc {

class ArithmeticReader {
 public:
  // `blob` is one of the arithmetic coder, and must outlive this. The models
  // take about 30 bytes for each weight of a line.
  explicit ArithmeticReader(const ParsedBlob& blob);

  // To be called before anything is read. May throw std::bad_alloc.
  kdc_status Open();

  bool is_done() const { return line_ == num_lines_; }
  // The number of the next line.
  size_t line() const { return static_cast<size_t>(line_); }

  // Reads as few lines as hold `num_entries` entries, or all that are left.
  // They become the rows of `lines`. After the last line, checks that the
  // streams end. May throw std::bad_alloc.
  kdc_status Next(size_t num_entries, SparseRows* lines);

 private:
  // Decodes the index of the entry at `offset`.
  kdc_status ReadIndex(uint64_t offset, uint8_t* index);

  const ParsedBlob& blob_;
  uint64_t num_lines_;
  uint64_t line_length_;
  uint64_t line_ = 0;
  size_t num_read_ = 0;
  std::optional<MaskModel> mask_model_;
  std::optional<RangeDecoder> mask_;
  std::optional<IndexModel> index_model_;
  std::optional<RangeDecoder> indices_;
  LineValues values_;
  std::optional<PlaneReader> planes_;  // if the values are by planes
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_STREAMING_ARITHMETIC_READER_H_
