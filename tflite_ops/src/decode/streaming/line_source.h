// The lines of a blob, rows or columns as its scan goes, decoded a range at a
// time and not kept.
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
  // What is done with lines from `first_line` on.
  using Visit = std::function<kdc_status(const SparseRows& lines,
                                         size_t first_line, size_t worker)>;

  // Checks the streams of a blob that ReadBlob has read, unless the coder is
  // arithmetic; its bytes must outlive this. A range has few more than
  // `range_entries` entries, or one line. May throw std::bad_alloc.
  kdc_status Open(ParsedBlob blob, size_t range_entries);

  bool is_by_rows() const { return blob().is_by_rows(); }
  // The arithmetic coder can be read in order only, on one thread.
  bool is_in_order() const { return blob().is_arithmetic(); }
  const ParsedBlob& blob() const { return blocks_.blob(); }
  MatrixShape matrix() const { return blob().matrix(); }
  // Ranges, and lines of the one that has the most; 0 if they are read in
  // order.
  size_t num_ranges() const { return ranges_.size(); }
  size_t max_lines() const { return max_lines_; }

  // Decodes all lines, checks their streams, and calls `visit` for each range,
  // on up to `num_threads` threads at once. What a call returns other than
  // KDC_OK is returned.
  kdc_status ForEach(ThreadPool* pool, size_t num_threads,
                     const Visit& visit) const;

 private:
  // Blocks [begin, end).
  struct Range {
    size_t begin = 0;
    size_t end = 0;
  };

  kdc_status ReadInOrder(const Visit& visit) const;

  LineBlocks blocks_;
  size_t range_entries_ = 1;
  std::vector<Range> ranges_;
  size_t max_lines_ = 0;
};

// Calls `task(item, worker)` for items [0, num_items) until one returns another
// status than KDC_OK, which is returned. A task may throw std::bad_alloc.
kdc_status ForEachOrFail(
    ThreadPool* pool, size_t num_items, size_t num_threads,
    const std::function<kdc_status(size_t item, size_t worker)>& task);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_STREAMING_LINE_SOURCE_H_
