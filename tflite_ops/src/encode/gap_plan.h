// The choice of scan order, gap bits and gap code for a set of kept weights.
#ifndef KERAS_DC_SRC_ENCODE_GAP_PLAN_H_
#define KERAS_DC_SRC_ENCODE_GAP_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/format.h"
#include "common/huffman.h"

namespace keras_dc {

// How the positions of the kept weights are coded (FORMAT.md, 4).
struct GapPlan {
  int gap_bits = 1;
  uint64_t num_fillers = 0;
  CodeLengths lengths;     // empty if there is no gap symbol
  uint64_t size_bits = 0;  // of the table and the streams
};

// The cheapest plan for positions that ascend from 0.
GapPlan PlanGaps(const std::vector<uint32_t>& positions);

// The gap symbols of `positions` under `gap_bits`.
std::vector<uint8_t> GapSymbols(const std::vector<uint32_t>& positions,
                                int gap_bits);

// Positions in a scan down the columns, ascending; `order` tells for each which
// place it had in `positions`, a scan along the rows.
std::vector<uint32_t> ColumnMajorPositions(
    const std::vector<uint32_t>& positions, const MatrixShape& matrix,
    std::vector<uint32_t>* order);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_GAP_PLAN_H_
