// Weights that are decoded at every run, a range of rows at a time, and not
// kept: for little memory.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_STREAMED_WEIGHTS_H_
#define KERAS_DC_SRC_KERNELS_FORMS_STREAMED_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"
#include "common/thread_pool.h"
#include "decode/streaming/line_source.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// A blob that is scanned by rows is read once a run: one of Huffman codes by
// all threads, one of the arithmetic coder by one. In a scan by columns the
// entries of a row lie everywhere: it is read once for each range of rows, and
// so its ranges are larger.
//
// A thread holds one range, and for a scan by columns one of columns beside it:
// their entries, of 5 bytes each, or 8 without a codebook. The arithmetic coder
// adds what it learns of each place in a line, some 30 bytes.
class StreamedWeights {
 public:
  // Entries of a range of several rows; fewer, if threads share out ranges.
  static constexpr size_t kRangeEntries = 64 * 1024;
  // In a scan by columns.
  static constexpr size_t kGatheredEntries = 256 * 1024;

  // Checks the streams of a blob that ReadBlob has read; its bytes must outlive
  // this. Ranges are made for `num_threads`. May throw std::bad_alloc.
  kdc_status Open(ParsedBlob blob, size_t num_threads);

  // The scan's lines: rows, or columns.
  const LineSource& lines() const { return lines_; }

  // Ranges that threads can share out.
  size_t num_ranges() const {
    return lines_.is_by_rows() ? lines_.num_ranges() : ranges_.size();
  }
  // Rows of the range that has the most.
  size_t max_rows() const { return max_rows_; }

  // Decodes all rows and calls `visit` for each range of them, on up to
  // `num_threads` threads at once. What a call returns other than KDC_OK is
  // returned.
  kdc_status ForEachRange(ThreadPool* pool, size_t num_threads,
                          const LineSource::Visit& visit) const;

 private:
  // Rows [begin, end) of a scan by columns.
  struct Range {
    size_t begin = 0;
    size_t end = 0;
  };

  void CutRows();
  // Collects the rows of a range from all columns.
  kdc_status GatherRows(const Range& range, SparseRows* rows) const;

  LineSource lines_;
  size_t max_rows_ = 0;
  // For a scan by columns: ranges of rows, and where the entries of each row
  // begin among those of all.
  std::vector<Range> ranges_;
  std::vector<uint32_t> row_begin_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_STREAMED_WEIGHTS_H_
