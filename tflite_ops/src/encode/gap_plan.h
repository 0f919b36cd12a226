// Chooses gap bits and gap code for the positions of the kept weights.
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
  CodeLengths lengths;     // empty if there are no gap symbols
  uint64_t size_bits = 0;  // of the code table and the streams
};

// The smallest plan. `positions` are those of the kept weights, ascending.
GapPlan PlanGaps(const std::vector<uint32_t>& positions);

// The gap symbols of `positions`, of `gap_bits` bits.
std::vector<uint8_t> GapSymbols(const std::vector<uint32_t>& positions,
                                int gap_bits);

// From positions in a scan by rows to positions in a scan by columns,
// ascending. `order` is the place in `positions` that each of them had.
std::vector<uint32_t> ColumnMajorPositions(
    const std::vector<uint32_t>& positions, const MatrixShape& matrix,
    std::vector<uint32_t>* order);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_GAP_PLAN_H_
