#include "kernels/forms/streamed_weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/return_if_error.h"

namespace keras_dc {
namespace {

constexpr size_t kRangesPerThread = 2;

}  // namespace

kdc_status StreamedWeights::Open(ParsedBlob blob, size_t num_threads) {
  size_t range_entries = kRangeEntries;
  if (num_threads > 1) {
    range_entries = std::min(
        range_entries, blob.num_entries() / (num_threads * kRangesPerThread));
  }
  KDC_RETURN_IF_ERROR(lines_.Open(std::move(blob), range_entries));
  max_rows_ = lines_.max_lines();
  if (lines_.is_by_rows() && !lines_.is_in_order()) return KDC_OK;
  // A pass over all lines: the most rows of a range, or the entries of each
  // row.
  row_begin_.assign(lines_.is_by_rows() ? 0 : lines_.matrix().rows + 1, 0);
  const kdc_status status =
      lines_.ForEach(nullptr, 1, [&](const SparseRows& lines, size_t, size_t) {
        if (lines_.is_by_rows()) {
          max_rows_ = std::max(max_rows_, static_cast<size_t>(lines.num_rows));
        } else {
          for (const uint32_t row : lines.columns) ++row_begin_[row + 1];
        }
        return KDC_OK;
      });
  KDC_RETURN_IF_ERROR(status);
  if (!lines_.is_by_rows()) CutRows();
  return KDC_OK;
}

// Cuts the rows into ranges, from the number of entries of each row.
void StreamedWeights::CutRows() {
  max_rows_ = 0;
  ranges_.clear();
  const size_t num_rows = row_begin_.size() - 1;
  size_t begin = 0;
  for (size_t row = 0; row < num_rows; ++row) {
    row_begin_[row + 1] += row_begin_[row];
    if (row > begin &&
        row_begin_[row + 1] - row_begin_[begin] > kGatheredEntries) {
      ranges_.push_back({begin, row});
      begin = row;
    }
  }
  if (begin < num_rows) ranges_.push_back({begin, num_rows});
  for (const Range& range : ranges_) {
    max_rows_ = std::max(max_rows_, range.end - range.begin);
  }
}

kdc_status StreamedWeights::GatherRows(const Range& range,
                                       SparseRows* rows) const {
  const auto begin =
      row_begin_.begin() + static_cast<std::ptrdiff_t>(range.begin);
  const auto end = row_begin_.begin() + static_cast<std::ptrdiff_t>(range.end);
  rows->num_rows = static_cast<int64_t>(range.end - range.begin);
  rows->num_columns = static_cast<int64_t>(lines_.matrix().columns);
  rows->row_begin.assign(begin, end + 1);
  const uint32_t first_entry = *begin;
  for (uint32_t& entry : rows->row_begin) entry -= first_entry;
  const size_t num_entries = rows->row_begin.back();
  rows->columns.resize(num_entries);
  std::vector<uint32_t> next(rows->row_begin.begin(),
                             rows->row_begin.end() - 1);
  size_t num_gathered = 0;
  const size_t item_size = ItemSize(lines_.blob().info.dtype);
  const kdc_status status = lines_.ForEach(
      nullptr, 1, [&](const SparseRows& columns, size_t first_column, size_t) {
        const bool has_codebook = !columns.codebook.empty();
        rows->codebook = columns.codebook;
        rows->indices.resize(has_codebook ? num_entries : 0);
        rows->dtype = columns.dtype;
        rows->values.resize(has_codebook ? 0 : num_entries * item_size);
        for (size_t c = 0; c < static_cast<size_t>(columns.num_rows); ++c) {
          for (size_t e = columns.row_begin[c]; e < columns.row_begin[c + 1];
               ++e) {
            const size_t row = columns.columns[e] - range.begin;
            if (row >= next.size()) continue;
            const uint32_t place = next[row]++;
            // The blob may have changed since.
            if (place >= rows->row_begin[row + 1]) return KDC_BAD_POSITION;
            ++num_gathered;
            rows->columns[place] = static_cast<uint32_t>(first_column + c);
            if (has_codebook) {
              rows->indices[place] = columns.indices[e];
            } else {
              std::memcpy(&rows->values[place * item_size],
                          &columns.values[e * item_size], item_size);
            }
          }
        }
        return KDC_OK;
      });
  KDC_RETURN_IF_ERROR(status);
  return num_gathered == num_entries ? KDC_OK : KDC_BAD_POSITION;
}

kdc_status StreamedWeights::ForEachRange(ThreadPool* pool, size_t num_threads,
                                         const LineSource::Visit& visit) const {
  if (lines_.is_by_rows()) return lines_.ForEach(pool, num_threads, visit);
  const size_t num_workers = std::min(num_threads, ranges_.size());
  std::vector<SparseRows> rows(std::max<size_t>(num_workers, 1));
  return ForEachOrFail(
      pool, ranges_.size(), num_workers, [&](size_t i, size_t worker) {
        KDC_RETURN_IF_ERROR(GatherRows(ranges_[i], &rows[worker]));
        return visit(rows[worker], ranges_[i].begin, worker);
      });
}

}  // namespace keras_dc
