// Compiled for BMI2, whose shifts take their count from any register.
#include "decode/symbol_lanes_impl.h"

namespace keras_dc {

void RunLanesBmi2(const SymbolEntry* table, int table_bits, SymbolLane* lanes,
                  size_t num_lanes, size_t rounds) {
  RunAllLanes(table, table_bits, lanes, num_lanes, rounds);
}

}  // namespace keras_dc
