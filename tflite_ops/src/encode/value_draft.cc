#include "encode/value_draft.h"

#include <algorithm>
#include <array>
#include <utility>

#include "encode/draft.h"
#include "encode/line_classes.h"
#include "encode/number_writer.h"
#include "encode/symbol_encoder.h"

namespace keras_dc {
namespace {

// Sizes for which two classes are tried: they may save bytes, and finding them
// takes less than a second.
constexpr size_t kFewestWeightsToClass = 1 << 10;
constexpr size_t kMostWeightsToClass = 1 << 23;
constexpr size_t kFewestLines = 4;
constexpr size_t kShortestLine = 16;
// Classes and a scan by columns take longer to decode, so they are taken if
// they save more than one part in this many.
constexpr uint64_t kMinClassSaving = 128;
constexpr uint64_t kMinColumnSaving = 256;

uint64_t NumberBits(const std::vector<uint32_t>& patterns, int32_t dtype,
                    int num_streams) {
  bool half_float = false;
  const PackedNumbers numbers = PackValues(patterns, dtype, &half_float);
  if (dtype == KDC_INT4) return uint64_t{8} * numbers.bytes.size();
  return 8 * PlanPlanes(numbers, num_streams).size_bytes;
}

// Gives the draft two line classes if that makes it smaller.
void TryClasses(int32_t dtype, size_t line_length, Draft* draft,
                uint64_t* size_bits) {
  const size_t num_weights = draft->patterns.size();
  if (dtype == KDC_INT4 || line_length < kShortestLine ||
      num_weights / line_length < kFewestLines ||
      num_weights < kFewestWeightsToClass ||
      num_weights > kMostWeightsToClass) {
    return;
  }
  bool half_float = false;
  const PackedNumbers numbers = PackValues(draft->patterns, dtype, &half_float);
  std::vector<uint8_t> classes = FindLineClasses(numbers, line_length);
  if (classes.empty()) return;
  uint64_t bytes = (classes.size() + 7) / 8;
  for (const PackedNumbers& part :
       SplitByClass(numbers, line_length, classes)) {
    const PlanePlan plan = PlanPlanes(part, 1 << LogStreams(num_weights));
    if (plan.coded == 0) return;
    bytes += plan.size_bytes;
  }
  if (8 * (bytes + bytes / kMinClassSaving) >= *size_bits) return;
  *size_bits = 8 * bytes;
  draft->line_classes = std::move(classes);
}

}  // namespace

uint64_t ValueBits(const std::vector<uint32_t>& patterns, int32_t dtype) {
  return NumberBits(patterns, dtype, 1 << LogStreams(patterns.size()));
}

uint64_t CentroidBits(const std::vector<uint32_t>& patterns, int32_t dtype) {
  return NumberBits(patterns, dtype, 1);
}

Draft DraftValues(const uint8_t* values, size_t num_weights, int32_t dtype,
                  const MatrixShape& matrix, uint64_t* size_bits) {
  const size_t item_size = ItemSize(dtype);
  Draft draft;
  draft.num_entries = num_weights;
  draft.patterns.resize(num_weights);
  for (size_t i = 0; i < num_weights; ++i) {
    draft.patterns[i] = PatternAt(values, item_size, i);
  }
  *size_bits = ValueBits(draft.patterns, dtype);
  if (matrix.rows < 2 || matrix.columns < 2) return draft;
  Draft by_columns = draft;
  uint64_t column_bits = *size_bits;
  TryClasses(dtype, static_cast<size_t>(matrix.columns), &draft, size_bits);
  by_columns.column_major = true;
  for (size_t i = 0; i < num_weights; ++i) {
    const size_t column = i / matrix.rows, row = i % matrix.rows;
    by_columns.patterns[i] = draft.patterns[row * matrix.columns + column];
  }
  TryClasses(dtype, static_cast<size_t>(matrix.rows), &by_columns,
             &column_bits);
  if (column_bits + column_bits / kMinColumnSaving >= *size_bits) return draft;
  *size_bits = column_bits;
  return by_columns;
}

}  // namespace keras_dc
