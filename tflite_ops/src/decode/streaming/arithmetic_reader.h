// The lines of a blob of the arithmetic coder, in their order: it cannot be
// read in any other.
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
  // `blob` is one of the arithmetic coder, and outlives this. What is learnt of
  // a line and its offsets takes some 30 bytes an offset.
  explicit ArithmeticReader(const ParsedBlob& blob);

  // To be called before anything is read. May throw std::bad_alloc.
  kdc_status Open();

  bool is_done() const { return line_ == num_lines_; }
  // The next line.
  size_t line() const { return static_cast<size_t>(line_); }

  // Reads as few lines as hold `num_entries` entries, or what is left: they
  // become the rows of `lines`. With the last line, checks that nothing
  // follows. May throw std::bad_alloc.
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
