// Weights in no form: for little memory they are decoded at every run, a range
// of rows at a time, and not kept.
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

// A blob that is scanned by rows is read once a run, with Huffman codes by all
// threads, with the arithmetic coder by one. In a scan by columns the entries
// of a row lie everywhere: the blob is read once for each range of rows, and so
// its ranges are larger.
//
// A thread holds the entries of one range, and in a scan by columns those of a
// range of columns, too. An entry takes 5 bytes, or 8 without a codebook. The
// models of the arithmetic coder take about 30 bytes for each weight of a line.
class StreamedWeights {
 public:
  // Entries of a range of rows; with several threads a range may have fewer.
  static constexpr size_t kRangeEntries = 64 * 1024;
  // The same in a scan by columns.
  static constexpr size_t kGatheredEntries = 256 * 1024;

  // Takes a blob that ReadBlob has read, and checks its streams; its bytes must
  // outlive this. Ranges are made for `num_threads`. May throw std::bad_alloc.
  kdc_status Open(ParsedBlob blob, size_t num_threads);

  // The lines of the scan: rows, or columns.
  const LineSource& lines() const { return lines_; }

  // The number of ranges that threads can divide among them.
  size_t num_ranges() const {
    return lines_.is_by_rows() ? lines_.num_ranges() : ranges_.size();
  }
  // The most rows of a range.
  size_t max_rows() const { return max_rows_; }

  // Decodes all rows and calls `visit` for each range of them, on up to
  // `num_threads` threads at once. Returns the first error of a stream or of a
  // call.
  kdc_status ForEachRange(ThreadPool* pool, size_t num_threads,
                          const LineSource::Visit& visit) const;

 private:
  // Rows [begin, end) of a scan by columns.
  struct Range {
    size_t begin = 0;
    size_t end = 0;
  };

  void CutRows();
  // Decodes the rows of a range from all columns.
  kdc_status GatherRows(const Range& range, SparseRows* rows) const;

  LineSource lines_;
  size_t max_rows_ = 0;
  // For a scan by columns: the ranges of rows, and the number of entries in the
  // rows before each row.
  std::vector<Range> ranges_;
  std::vector<uint32_t> row_begin_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_STREAMED_WEIGHTS_H_
