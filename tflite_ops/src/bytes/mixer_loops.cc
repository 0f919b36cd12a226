#include "bytes/mixer_loops.h"

#include "bytes/mixer_loops_impl.h"
#include "common/cpu.h"

namespace keras_dc {

const MixerLoops& FastestMixerLoops() {
  static constexpr MixerLoops portable = {DotProduct, MoveWeights};
#if defined(KERAS_DC_X86_KERNELS)
  if (ThisCpu().isa >= Isa::kAvx2) return kAvx2MixerLoops;
#endif
  return portable;
}

}  // namespace keras_dc
