#include "common/cpu.h"

#include <cstdlib>
#include <cstring>

#if defined(KERAS_DC_X86_KERNELS)
#include <cpuid.h>
#if defined(KERAS_DC_AMX_KERNELS)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(KERAS_DC_NEON_KERNELS) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace keras_dc {
namespace {

#if defined(KERAS_DC_X86_KERNELS)

struct CpuidWords {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

CpuidWords Cpuid(unsigned leaf) {
  CpuidWords words;
  __get_cpuid_count(leaf, 0, &words.a, &words.b, &words.c, &words.d);
  return words;
}

bool HasBits(unsigned word, unsigned bits) { return (word & bits) == bits; }

// Which registers the operating system saves when it changes threads.
unsigned SavedState() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

void AddX86Isas(std::vector<Isa>* isas) {
  constexpr unsigned kFma = 1u << 12, kOsXsave = 1u << 27, kAvx = 1u << 28;
  constexpr unsigned kAvx2 = 1u << 5;
  constexpr unsigned kAvx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
  constexpr unsigned kYmmSaved = 0x06, kZmmSaved = 0xe6;
  if (!HasBits(Cpuid(1).c, kFma | kOsXsave | kAvx)) return;
  const unsigned saved = SavedState();
  const unsigned features = Cpuid(7).b;
  if (!HasBits(features, kAvx2) || !HasBits(saved, kYmmSaved)) return;
  isas->push_back(Isa::kAvx2);
  // AVX512F, DQ, BW and VL.
  if (!HasBits(features, kAvx512) || !HasBits(saved, kZmmSaved)) return;
  isas->push_back(Isa::kAvx512);
#if defined(KERAS_DC_AMX_KERNELS)
  // AMX-TILE and AMX-INT8.
  constexpr unsigned kAmx = 1u << 24 | 1u << 25, kTilesSaved = 0x60000;
  if (!HasBits(Cpuid(7).d, kAmx) || !HasBits(saved, kTilesSaved)) return;
  isas->push_back(Isa::kAmx);
#endif
}

#endif  // KERAS_DC_X86_KERNELS

#if defined(KERAS_DC_X86_KERNELS)

// Of AMD's processors those of the family 0x19 that have AVX-512.
bool IsZen4() {
  const CpuidWords vendor = Cpuid(0);
  constexpr unsigned kAuth = 0x68747541, kEnti = 0x69746e65, kCamd = 0x444d4163;
  if (vendor.b != kAuth || vendor.d != kEnti || vendor.c != kCamd) return false;
  const unsigned signature = Cpuid(1).a;
  const unsigned family = (signature >> 8 & 0xf) + (signature >> 20 & 0xff);
  return family == 0x19;
}

#endif  // KERAS_DC_X86_KERNELS

#if defined(KERAS_DC_NEON_KERNELS)

// Whether the bit of the system's words about the processor is set. All of
// Apple's have what is asked for here.
bool HasArmFeature([[maybe_unused]] unsigned long bit) {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & bit) != 0;
#elif defined(__APPLE__)
  return true;
#else
  return false;
#endif
}

#endif  // KERAS_DC_NEON_KERNELS

// Sets `isa` and `error`.
void ChooseIsa(Cpu* cpu) {
  const std::vector<Isa> supported = SupportedIsas();
  cpu->isa = supported.back();
  const char* name = std::getenv("KERAS_DC_ISA");
  if (name == nullptr || name[0] == '\0') return;
  std::string names;
  for (const Isa candidate : supported) {
    if (std::strcmp(name, IsaName(candidate)) == 0) {
      cpu->isa = candidate;
      return;
    }
    names += (names.empty() ? "" : ", ") + std::string(IsaName(candidate));
  }
  cpu->error = "this machine cannot run KERAS_DC_ISA=" + std::string(name) +
               ", only: " + names;
}

Cpu FindCpu() {
  Cpu cpu;
  ChooseIsa(&cpu);
#if defined(KERAS_DC_X86_KERNELS)
  if (!cpu.error.empty() || cpu.isa == Isa::kPortable) return cpu;
  __builtin_cpu_init();
  cpu.bmi2 = __builtin_cpu_supports("bmi2") != 0;
  cpu.clmul = __builtin_cpu_supports("pclmul") != 0;
  cpu.avx512 = cpu.isa >= Isa::kAvx512;
  cpu.vbmi2 =
      cpu.avx512 && cpu.bmi2 && __builtin_cpu_supports("avx512vbmi2") != 0;
  cpu.prefers_second_cache = cpu.avx512 && IsZen4();
#elif defined(KERAS_DC_NEON_KERNELS)
  constexpr unsigned long kCrc32 = 1ul << 7;
  cpu.arm_crc = cpu.isa == Isa::kNeon && HasArmFeature(kCrc32);
#endif
  return cpu;
}

}  // namespace

const Cpu& ThisCpu() {
  static const Cpu cpu = FindCpu();
  return cpu;
}

std::vector<Isa> SupportedIsas() {
  std::vector<Isa> isas = {Isa::kPortable};
#if defined(KERAS_DC_X86_KERNELS)
  AddX86Isas(&isas);
#elif defined(KERAS_DC_NEON_KERNELS)
  isas.push_back(Isa::kNeon);
#endif
  return isas;
}

#if defined(KERAS_DC_X86_KERNELS)

bool HasVnni() {
  __builtin_cpu_init();
  static const bool has_it = SupportedIsas().back() >= Isa::kAvx512 &&
                             __builtin_cpu_supports("avx512vnni") != 0;
  return has_it;
}

bool HasVnniAndVbmi() {
  static const bool has_both =
      HasVnni() && __builtin_cpu_supports("avx512vbmi") != 0;
  return has_both;
}

#else

bool HasVnni() { return false; }
bool HasVnniAndVbmi() { return false; }

#endif

bool MayUseMatrixRegisters() {
#if defined(KERAS_DC_AMX_KERNELS)
  // ARCH_REQ_XCOMP_PERM, for the state XTILEDATA.
  constexpr long kRequest = 0x1023, kTileData = 18;
  static const bool may =
      HasVnniAndVbmi() && syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
  return may;
#else
  return false;
#endif
}

bool HasDotProduct() {
#if defined(KERAS_DC_NEON_KERNELS)
  constexpr unsigned long kDotProduct = 1ul << 20;
  static const bool has_it = HasArmFeature(kDotProduct);
  return has_it;
#else
  return false;
#endif
}

const char* IsaName(Isa isa) {
  switch (isa) {
    case Isa::kNeon:
      return "neon";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAmx:
      return "amx";
    default:
      return "portable";
  }
}

}  // namespace keras_dc
