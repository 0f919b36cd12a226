#include "decode/streaming/line_source.h"

#include <algorithm>
#include <utility>

#include "common/return_if_error.h"
#include "decode/entry_reader.h"
#include "decode/stored_values.h"

namespace keras_dc {
namespace {

// The lanes in which a range is decoded.
constexpr size_t kBlocksPerRange = 8;
constexpr size_t kMinBlockEntries = 512;

}  // namespace

kdc_status LineSource::Open(ParsedBlob parsed, size_t range_entries) {
  range_entries_ = range_entries;
  ranges_.clear();
  max_lines_ = 0;
  const size_t block_entries =
      std::max(kMinBlockEntries, range_entries / kBlocksPerRange);
  const bool is_arithmetic = parsed.is_arithmetic();
  const kdc_status status = blocks_.Open(std::move(parsed), block_entries);
  if (is_arithmetic) return KDC_OK;
  KDC_RETURN_IF_ERROR(status);
  for (size_t begin = 0; begin < blocks_.num_blocks();) {
    size_t end = begin + 1;
    while (end < blocks_.num_blocks() &&
           blocks_.first_entry(end + 1) - blocks_.first_entry(begin) <=
               kBlocksPerRange * block_entries) {
      ++end;
    }
    ranges_.push_back({begin, end});
    max_lines_ = std::max(max_lines_,
                          blocks_.first_line(end) - blocks_.first_line(begin));
    begin = end;
  }
  return KDC_OK;
}

kdc_status LineSource::ForEach(ThreadPool* pool, size_t num_threads,
                               const Visit& visit) const {
  if (is_in_order()) {
    return ForEachOrFail(pool, blob().entry_streams.size(), num_threads,
                         [&](size_t stream, size_t worker) {
                           return ReadStream(stream, worker, visit);
                         });
  }
  struct Worker {
    LineBlocks::Scratch scratch;
    SparseRows lines;
  };
  const LineBlocks::Tables tables = blocks_.MakeTables();
  const size_t num_workers = std::min(num_threads, num_ranges());
  std::vector<Worker> workers(std::max<size_t>(num_workers, 1));
  return ForEachOrFail(
      pool, num_ranges(), num_workers, [&](size_t i, size_t w) {
        Worker& worker = workers[w];
        KDC_RETURN_IF_ERROR(blocks_.Decode(tables, ranges_[i].begin,
                                           ranges_[i].end, &worker.scratch,
                                           &worker.lines));
        return visit(worker.lines, blocks_.first_line(ranges_[i].begin), w);
      });
}

kdc_status LineSource::ReadStream(size_t stream, size_t worker,
                                  const Visit& visit) const {
  EntryReader reader(blob(), stream);
  const bool has_codebook = blob().info.num_centroids != 0;
  LineValues values;
  KDC_RETURN_IF_ERROR(UnpackLineValues(blob(), &values));
  EntryLines read;
  SparseRows lines;
  lines.dtype = static_cast<kdc_dtype>(blob().info.dtype);
  lines.num_columns = static_cast<int64_t>(blob().line_length());
  while (!reader.is_done()) {
    const size_t first_line = reader.line();
    const size_t first_entry = reader.entry();
    KDC_RETURN_IF_ERROR(reader.NextLines(range_entries_, &read));
    lines.num_rows = static_cast<int64_t>(reader.line() - first_line);
    lines.row_begin.swap(read.line_begin);
    lines.columns.assign(read.offsets.begin(), read.offsets.end());
    if (has_codebook) {
      lines.indices.assign(read.items.begin(), read.items.end());
      FillValues(blob(), values, first_line, first_entry, &lines);
    } else {
      lines.values.swap(read.items);
      AsItems(blob(), &lines.values);
    }
    KDC_RETURN_IF_ERROR(visit(lines, first_line, worker));
  }
  return KDC_OK;
}

}  // namespace keras_dc
