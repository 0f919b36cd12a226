#include "encode/gap_plan.h"

#include <algorithm>
#include <cmath>

namespace keras_dc {
namespace {

// How often each run of zeros stands before a kept weight. Long runs are rare,
// and listed one by one.
struct RunHistogram {
  static constexpr uint32_t kListedFrom = 1024;
  std::vector<uint64_t> counts = std::vector<uint64_t>(kListedFrom, 0);
  std::vector<uint32_t> listed;
};

RunHistogram CountRuns(const std::vector<uint32_t>& positions) {
  RunHistogram runs;
  uint32_t next = 0;
  for (const uint32_t position : positions) {
    const uint32_t run = position - next;
    if (run < RunHistogram::kListedFrom) {
      ++runs.counts[run];
    } else {
      runs.listed.push_back(run);
    }
    next = position + 1;
  }
  return runs;
}

std::vector<uint64_t> CountSymbols(const RunHistogram& runs, int gap_bits) {
  const uint32_t filler = FillerSymbol(gap_bits);
  std::vector<uint64_t> histogram(size_t{filler} + 1, 0);
  const auto add = [&](uint32_t run, uint64_t count) {
    histogram[filler] += count * (run / filler);
    histogram[run % filler] += count;
  };
  for (uint32_t run = 0; run < RunHistogram::kListedFrom; ++run) {
    if (runs.counts[run] != 0) add(run, runs.counts[run]);
  }
  for (const uint32_t run : runs.listed) add(run, 1);
  return histogram;
}

// Code lengths for the geometric distribution with the histogram's mean. They
// ascend, so that their table is short. That is better for small tensors, whose
// counts are mostly noise.
CodeLengths GeometricCodeLengths(const std::vector<uint64_t>& histogram) {
  const size_t filler = histogram.size() - 1;
  double kept = 0, zeros = 0;
  for (size_t run = 0; run < filler; ++run) {
    kept += static_cast<double>(histogram[run]);
    zeros += static_cast<double>(histogram[run]) * static_cast<double>(run);
  }
  zeros += static_cast<double>(histogram[filler] * filler);
  const double ratio = zeros / (zeros + kept);
  // Counts out of a million: even the rarest symbol is not rounded away.
  constexpr double kTotalCount = 1e6;
  std::vector<uint64_t> fitted(histogram.size());
  double share = (1 - ratio) * kTotalCount;
  for (size_t run = 0; run < filler; ++run) {
    fitted[run] = static_cast<uint64_t>(share) + 1;
    share *= ratio;
  }
  const double filler_share =
      kept > 0 ? static_cast<double>(histogram[filler]) / kept * kTotalCount
               : 0;
  fitted[filler] = static_cast<uint64_t>(filler_share) + 1;
  return OptimalCodeLengths(fitted);
}

uint64_t TableBits(const CodeLengths& lengths) {
  std::vector<uint8_t> bytes;
  WriteCodeLengths(lengths, &bytes);
  return 8 * bytes.size();
}

void KeepIfSmaller(const std::vector<uint64_t>& histogram, int gap_bits,
                   CodeLengths lengths, GapPlan* best) {
  const uint64_t size_bits =
      StreamBits(histogram, lengths) + TableBits(lengths);
  if (!best->lengths.empty() && size_bits >= best->size_bits) return;
  best->gap_bits = gap_bits;
  best->num_fillers = histogram.back();
  best->lengths = std::move(lengths);
  best->size_bits = size_bits;
}

}  // namespace

GapPlan PlanGaps(const std::vector<uint32_t>& positions) {
  GapPlan best;
  if (positions.empty()) return best;
  const RunHistogram runs = CountRuns(positions);
  for (int gap_bits = 1; gap_bits <= kMaxGapBits; ++gap_bits) {
    const std::vector<uint64_t> histogram = CountSymbols(runs, gap_bits);
    KeepIfSmaller(histogram, gap_bits, OptimalCodeLengths(histogram), &best);
    KeepIfSmaller(histogram, gap_bits, GeometricCodeLengths(histogram), &best);
  }
  return best;
}

std::vector<uint8_t> GapSymbols(const std::vector<uint32_t>& positions,
                                int gap_bits) {
  const uint32_t filler = FillerSymbol(gap_bits);
  std::vector<uint8_t> symbols;
  symbols.reserve(positions.size() + positions.size() / 4);
  uint32_t next = 0;
  for (const uint32_t position : positions) {
    uint32_t run = position - next;
    for (; run >= filler; run -= filler) {
      symbols.push_back(static_cast<uint8_t>(filler));
    }
    symbols.push_back(static_cast<uint8_t>(run));
    next = position + 1;
  }
  return symbols;
}

std::vector<uint32_t> ColumnMajorPositions(
    const std::vector<uint32_t>& positions, const MatrixShape& matrix,
    std::vector<uint32_t>* order) {
  const auto columns = static_cast<uint32_t>(matrix.columns);
  const auto rows = static_cast<uint32_t>(matrix.rows);
  // Counting sort by column. It is stable, so rows ascend within a column.
  std::vector<uint32_t> begin(matrix.columns + 1, 0);
  for (const uint32_t position : positions) ++begin[position % columns + 1];
  for (size_t column = 0; column < columns; ++column) {
    begin[column + 1] += begin[column];
  }
  std::vector<uint32_t> sorted(positions.size());
  order->resize(positions.size());
  for (size_t i = 0; i < positions.size(); ++i) {
    const uint32_t row = positions[i] / columns;
    const uint32_t column = positions[i] % columns;
    const uint32_t place = begin[column]++;
    sorted[place] = column * rows + row;
    (*order)[place] = static_cast<uint32_t>(i);
  }
  return sorted;
}

}  // namespace keras_dc
