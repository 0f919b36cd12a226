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

uint64_t NumberBits(const PackedNumbers& numbers, int32_t dtype,
                    int num_streams) {
  if (dtype == KDC_INT4) return uint64_t{8} * numbers.size();
  return 8 * PlanPlanes(numbers, num_streams).size_bytes;
}

bool AreClassesTried(int32_t dtype, size_t num_weights, size_t line_length) {
  return dtype != KDC_INT4 && line_length >= kShortestLine &&
         num_weights / line_length >= kFewestLines &&
         num_weights >= kFewestWeightsToClass &&
         num_weights <= kMostWeightsToClass;
}

// Gives a draft of these numbers two line classes if that makes it smaller.
void TryClasses(const PackedNumbers& numbers, size_t line_length, Draft* draft,
                uint64_t* size_bits) {
  std::vector<uint8_t> classes = FindLineClasses(numbers, line_length);
  if (classes.empty()) return;
  uint64_t bytes = (classes.size() + 7) / 8;
  for (const PackedNumbers& part :
       SplitByClass(numbers, line_length, classes)) {
    const PlanePlan plan = PlanPlanes(part, 1 << LogStreams(numbers.count()));
    if (plan.coded == 0) return;
    bytes += plan.size_bytes;
  }
  if (8 * (bytes + bytes / kMinClassSaving) >= *size_bits) return;
  *size_bits = 8 * bytes;
  draft->line_classes = std::move(classes);
}

// The values of a draft by columns.
std::vector<uint32_t> PatternsByColumns(const uint8_t* values, int32_t dtype,
                                        const MatrixShape& matrix) {
  const size_t item_size = ItemSize(dtype);
  std::vector<uint32_t> patterns;
  patterns.reserve(matrix.rows * matrix.columns);
  for (size_t column = 0; column < matrix.columns; ++column) {
    for (size_t row = 0; row < matrix.rows; ++row) {
      patterns.push_back(
          PatternAt(values, item_size, row * matrix.columns + column));
    }
  }
  return patterns;
}

}  // namespace

uint64_t ValueBits(const std::vector<uint32_t>& patterns, int32_t dtype) {
  bool half_float = false;
  return NumberBits(PackValues(patterns, dtype, &half_float), dtype,
                    1 << LogStreams(patterns.size()));
}

uint64_t CentroidBits(const std::vector<uint32_t>& patterns, int32_t dtype) {
  bool half_float = false;
  return NumberBits(PackValues(patterns, dtype, &half_float), dtype, 1);
}

Draft DraftValues(const uint8_t* values, size_t num_weights, int32_t dtype,
                  const MatrixShape& matrix, uint64_t* size_bits) {
  Draft draft;
  draft.num_entries = num_weights;
  draft.values = values;
  bool half_float = false;
  const PackedNumbers numbers =
      PackValuesAt(values, num_weights, dtype, &half_float);
  const uint64_t plain_bits =
      NumberBits(numbers, dtype, 1 << LogStreams(num_weights));
  *size_bits = plain_bits;
  if (matrix.rows < 2 || matrix.columns < 2) return draft;
  if (AreClassesTried(dtype, num_weights, matrix.columns)) {
    TryClasses(numbers, matrix.columns, &draft, size_bits);
  }
  // Without classes a scan by columns has the same numbers.
  if (!AreClassesTried(dtype, num_weights, matrix.rows)) return draft;
  Draft by_columns;
  by_columns.num_entries = num_weights;
  by_columns.column_major = true;
  by_columns.patterns = PatternsByColumns(values, dtype, matrix);
  uint64_t column_bits = plain_bits;
  TryClasses(PackValues(by_columns.patterns, dtype, &half_float), matrix.rows,
             &by_columns, &column_bits);
  if (column_bits + column_bits / kMinColumnSaving >= *size_bits) return draft;
  *size_bits = column_bits;
  return by_columns;
}

}  // namespace keras_dc
