#include "kernels/tile/int8_lockstep_kernel.h"

namespace keras_dc {

Int8LockstepKernel Int8LockstepKernelOf(Isa isa) {
  switch (isa) {
#if defined(KERAS_DC_X86_KERNELS)
    case Isa::kAmx:
    case Isa::kAvx512:
      if (HasVnniAndVbmi()) return VnniInt8LockstepKernel();
      return Avx2Int8LockstepKernel();
    case Isa::kAvx2:
      return Avx2Int8LockstepKernel();
#elif defined(KERAS_DC_NEON_KERNELS)
    case Isa::kNeon:
      if (HasDotProduct()) return NeonDotInt8LockstepKernel();
      return NeonInt8LockstepKernel();
#endif
    default:
      return Int8LockstepKernel();
  }
}

}  // namespace keras_dc
