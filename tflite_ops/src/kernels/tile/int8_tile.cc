#include "kernels/tile/int8_tile.h"

namespace keras_dc {

Int8TileKernel Int8TileKernelOf(Isa isa) {
  switch (isa) {
#if defined(KERAS_DC_X86_KERNELS)
    case Isa::kAmx:
    case Isa::kAvx512:
      if (HasVnni()) return VnniInt8TileKernel();
      return Avx2Int8TileKernel();
    case Isa::kAvx2:
      return Avx2Int8TileKernel();
#elif defined(KERAS_DC_NEON_KERNELS)
    case Isa::kNeon:
      if (HasDotProduct()) return NeonDotInt8TileKernel();
      return NeonInt8TileKernel();
#endif
    default:
      return PortableInt8TileKernel();
  }
}

}  // namespace keras_dc
