// Which instructions the kernels may use.
#ifndef KERAS_DC_SRC_COMMON_ISA_H_
#define KERAS_DC_SRC_COMMON_ISA_H_

#include <string>
#include <vector>

namespace keras_dc {

enum class Isa { kPortable, kNeon, kAvx2, kAvx512 };

// What this build and this machine can run, the slowest first.
std::vector<Isa> SupportedIsas();

// The fastest of SupportedIsas, or the one that the environment variable
// KERAS_DC_ISA names (portable, neon, avx2, avx512). Returns what is wrong if
// the variable names none of them, else "".
std::string ChooseIsa(Isa* isa);

const char* IsaName(Isa isa);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_ISA_H_
