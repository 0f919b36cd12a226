#include "decode/symbol_lanes.h"

#include "common/cpu.h"
#include "decode/symbol_lanes_impl.h"

namespace keras_dc {

void RunLanes(const SymbolEntry* table, int table_bits, SymbolLane* lanes,
              size_t num_lanes, size_t rounds) {
#if defined(KERAS_DC_X86_KERNELS)
  if (ThisCpu().bmi2) {
    RunLanesBmi2(table, table_bits, lanes, num_lanes, rounds);
    return;
  }
#endif
  RunAllLanes(table, table_bits, lanes, num_lanes, rounds);
}

void RunEightLanes(const SymbolEntry* table, int table_bits,
                   SymbolLane* lanes) {
#if defined(KERAS_DC_X86_KERNELS)
  if (ThisCpu().vbmi2) RunEightLanesVbmi2(table, table_bits, lanes);
#else
  static_cast<void>(table);
  static_cast<void>(table_bits);
  static_cast<void>(lanes);
#endif
}

}  // namespace keras_dc
