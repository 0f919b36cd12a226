// Which instructions beyond the compiler's target the codec may use.
#ifndef KERAS_DC_SRC_COMMON_CPU_H_
#define KERAS_DC_SRC_COMMON_CPU_H_

namespace keras_dc {

struct CpuFeatures {
  bool bmi2 = false;
  bool clmul = false;
  bool avx512 = false;
  bool vbmi2 = false;  // with AVX-512 and BMI2
};

// Those of this machine that KERAS_DC_ISA leaves: with `portable` none, with
// `avx2` all but AVX-512.
const CpuFeatures& UsableCpuFeatures();

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_CPU_H_
