#include "common/cpu.h"

#include "common/isa.h"

namespace keras_dc {
namespace {

CpuFeatures FindFeatures() {
  CpuFeatures features;
#if defined(KERAS_DC_X86_KERNELS)
  Isa isa = Isa::kPortable;
  if (!ChooseIsa(&isa).empty() || isa == Isa::kPortable) return features;
  __builtin_cpu_init();
  features.bmi2 = __builtin_cpu_supports("bmi2") != 0;
  features.clmul = __builtin_cpu_supports("pclmul") != 0;
  features.avx512 = isa == Isa::kAvx512;
  features.vbmi2 = features.avx512 && features.bmi2 &&
                   __builtin_cpu_supports("avx512vbmi2") != 0;
#endif
  return features;
}

}  // namespace

const CpuFeatures& UsableCpuFeatures() {
  static const CpuFeatures features = FindFeatures();
  return features;
}

}  // namespace keras_dc
