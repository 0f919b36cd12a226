#include "encode/draft.h"

#include <cstring>

namespace keras_dc {
namespace {

// A scan by columns is taken if it saves more than one part in this many: its
// entries must be sorted before a kernel can pack them.
constexpr uint64_t kMinColumnSaving = 256;

}  // namespace

kdc_status CountWeights(const int64_t* shape, int32_t rank,
                        uint64_t* num_weights) {
  if (rank < 0 || rank > KDC_MAX_RANK || (rank > 0 && shape == nullptr)) {
    return KDC_INVALID_ARGUMENT;
  }
  *num_weights = 1;
  for (int i = 0; i < rank; ++i) {
    if (shape[i] < 0) return KDC_INVALID_ARGUMENT;
    const auto dim = static_cast<uint64_t>(shape[i]);
    if (dim > kMaxWeights) return KDC_TOO_LARGE;
    if (dim != 0 && *num_weights > kMaxWeights / dim) return KDC_TOO_LARGE;
    *num_weights *= dim;
  }
  return KDC_OK;
}

uint32_t PatternAt(const uint8_t* values, size_t item_size, size_t index) {
  uint32_t pattern = 0;
  std::memcpy(&pattern, values + item_size * index, item_size);
  return pattern;
}

void DraftPositions(const Palette& palette, const MatrixShape& matrix,
                    Draft* draft, std::vector<uint32_t>* order) {
  draft->has_gaps = true;
  draft->num_entries = palette.positions.size();
  draft->gaps = PlanGaps(palette.positions);
  order->clear();
  if (matrix.rows > 1 && matrix.columns > 1) {
    const std::vector<uint32_t> by_column =
        ColumnMajorPositions(palette.positions, matrix, order);
    GapPlan plan = PlanGaps(by_column);
    if (plan.size_bits + plan.size_bits / kMinColumnSaving <
        draft->gaps.size_bits) {
      draft->gaps = std::move(plan);
      draft->column_major = true;
      draft->gap_symbols = GapSymbols(by_column, draft->gaps.gap_bits);
      return;
    }
    order->clear();
  }
  draft->gap_symbols = GapSymbols(palette.positions, draft->gaps.gap_bits);
}

void DraftIndices(const Palette& palette, const std::vector<uint32_t>& order,
                  Draft* draft) {
  draft->has_codebook = true;
  draft->index_lengths = OptimalCodeLengths(palette.counts);
  draft->indices = palette.indices;
  for (size_t i = 0; i < order.size(); ++i) {
    draft->indices[i] = palette.indices[order[i]];
  }
}

}  // namespace keras_dc
