#include "symbol_lanes.h"

#include "cpu.h"
#include "symbol_lanes_impl.h"

namespace keras_dc {

void RunLanes(const SymbolEntry* table, int table_bits, SymbolLane* lanes,
              size_t num_lanes, size_t rounds) {
#if defined(KERAS_DC_X86_KERNELS)
  if (UsableCpuFeatures().bmi2) {
    RunLanesBmi2(table, table_bits, lanes, num_lanes, rounds);
    return;
  }
#endif
  RunAllLanes(table, table_bits, lanes, num_lanes, rounds);
}

}  // namespace keras_dc
