// Decodes the lines of a blob (rows, or columns in a scan by columns) a range
// at a time, and keeps none.
#ifndef KERAS_DC_SRC_DECODE_STREAMING_LINE_SOURCE_H_
#define KERAS_DC_SRC_DECODE_STREAMING_LINE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "common/format.h"
#include "common/sparse_rows.h"
#include "common/thread_pool.h"
#include "decode/blob_reader.h"
#include "decode/streaming/line_blocks.h"
#include "keras_dc/codec.h"

namespace keras_dc {

class LineSource {
 public:
  // Called with the lines of a range; the first one is `first_line`.
  using Visit = std::function<kdc_status(const SparseRows& lines,
                                         size_t first_line, size_t worker)>;

  // Takes a blob that ReadBlob has read; its bytes must outlive this. Checks
  // its streams, unless the coder is arithmetic. A range has about
  // `range_entries` entries, or one line. May throw std::bad_alloc.
  kdc_status Open(ParsedBlob blob, size_t range_entries);

  bool is_by_rows() const { return blob().is_by_rows(); }
  // Whether the lines of a stream can only be read in their order: the
  // arithmetic coder.
  bool is_in_order() const { return blob().is_arithmetic(); }
  const ParsedBlob& blob() const { return blocks_.blob(); }
  MatrixShape matrix() const { return blob().matrix(); }
  // The number of ranges, and the most lines of a range; 0 if is_in_order().
  size_t num_ranges() const { return ranges_.size(); }
  size_t max_lines() const { return max_lines_; }

  // Decodes all lines, and calls `visit` for each range, on up to `num_threads`
  // threads at once. Returns the first error of a stream or of a call.
  kdc_status ForEach(ThreadPool* pool, size_t num_threads,
                     const Visit& visit) const;

 private:
  // Blocks [begin, end).
  struct Range {
    size_t begin = 0;
    size_t end = 0;
  };

  // Reads a stream of the arithmetic coder.
  kdc_status ReadStream(size_t stream, size_t worker, const Visit& visit) const;

  LineBlocks blocks_;
  size_t range_entries_ = 1;
  std::vector<Range> ranges_;
  size_t max_lines_ = 0;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_STREAMING_LINE_SOURCE_H_
