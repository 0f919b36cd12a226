// Which instructions this process may use.
#ifndef KERAS_DC_SRC_COMMON_CPU_H_
#define KERAS_DC_SRC_COMMON_CPU_H_

#include <string>
#include <vector>

namespace keras_dc {

// An instruction set that the kernels are written for.
//
// Each of x86 has those of the ones before it. kAmx are matrix registers beside
// AVX-512, which int8 layers of many pixels use.
enum class Isa { kPortable, kNeon, kAvx2, kAvx512, kAmx };

struct Cpu {
  // The set that the kernels use: the fastest of SupportedIsas(), or the one
  // that the environment variable KERAS_DC_ISA names.
  Isa isa = Isa::kPortable;
  // What is wrong with KERAS_DC_ISA; empty if nothing is.
  std::string error;
  // Instructions that the codec uses beyond the compiler's target. With
  // KERAS_DC_ISA=portable it uses none, with avx2 all but AVX-512.
  bool bmi2 = false;
  bool clmul = false;
  bool avx512 = false;
  bool vbmi2 = false;    // together with AVX-512 and BMI2
  bool arm_crc = false;  // Armv8's crc32 instructions; none if portable
  // Whether what is read from memory in order is prefetched best into the
  // second cache: on AMD Zen 4.
  bool prefers_second_cache = false;
};

// Found out at the first call, and the same for the whole process.
const Cpu& ThisCpu();

// What this build and this machine can run, the slowest first.
std::vector<Isa> SupportedIsas();

// Instructions for int8 that machines of one Isa may have or lack: of kAvx512
// those that multiply four numbers at once (VNNI), and with them those that
// permute bytes (VBMI); of kNeon the dot product.
bool HasVnni();
bool HasVnniAndVbmi();
bool HasDotProduct();

// Whether this process may use matrix registers: Linux is asked for them at the
// first call. For kAmx alone.
bool MayUseMatrixRegisters();

// "portable", "neon", "avx2", "avx512" or "amx".
const char* IsaName(Isa isa);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_CPU_H_
