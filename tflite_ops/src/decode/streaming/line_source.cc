#include "decode/streaming/line_source.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "common/no_throw.h"
#include "common/return_if_error.h"
#include "decode/streaming/arithmetic_reader.h"

namespace keras_dc {
namespace {

// The lanes in which a range is decoded.
constexpr size_t kBlocksPerRange = 8;
constexpr size_t kMinBlockEntries = 512;

}  // namespace

kdc_status ForEachOrFail(
    ThreadPool* pool, size_t num_items, size_t num_threads,
    const std::function<kdc_status(size_t item, size_t worker)>& task) {
  std::atomic<int> failure{KDC_OK};
  const auto run = [&](size_t item, size_t worker) {
    if (failure.load(std::memory_order_relaxed) != KDC_OK) return;
    const kdc_status status = NoThrow([&] { return task(item, worker); });
    if (status != KDC_OK) failure.store(status, std::memory_order_relaxed);
  };
  if (num_threads <= 1) {
    for (size_t item = 0; item < num_items; ++item) run(item, 0);
  } else {
    pool->ParallelFor(num_items, num_threads, run);
  }
  return static_cast<kdc_status>(failure.load());
}

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
    return ForEachOrFail(nullptr, 1, 1,
                         [&](size_t, size_t) { return ReadInOrder(visit); });
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

kdc_status LineSource::ReadInOrder(const Visit& visit) const {
  ArithmeticReader reader(blob());
  KDC_RETURN_IF_ERROR(reader.Open());
  SparseRows lines;
  while (!reader.is_done()) {
    const size_t first_line = reader.line();
    KDC_RETURN_IF_ERROR(reader.Next(range_entries_, &lines));
    KDC_RETURN_IF_ERROR(visit(lines, first_line, 0));
  }
  return KDC_OK;
}

}  // namespace keras_dc
