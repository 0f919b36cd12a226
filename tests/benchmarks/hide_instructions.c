/* Hides AVX-512 and AMX from a process, so that every library in it runs as on a machine
 * with AVX2 only: XNNPACK, which has no switch of its own, and this project's kernels alike.
 * With -DONLY_AMX it hides AMX alone: as on a machine with AVX-512 and VNNI.
 * Linux, x86-64, a processor that can make CPUID fault.
 *
 *   cc -O1 -shared -fPIC -o hide_instructions.so tests/benchmarks/hide_instructions.c
 *   LD_PRELOAD=./hide_instructions.so python tests/benchmarks/conv2d.py
 *
 * CPUID faults; the handler asks again with faults off and takes bits out of the answer. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define BIT(n) (1u << (n))

static long SetCpuidFaults(int on) {
  return syscall(SYS_arch_prctl, ARCH_SET_CPUID, on ? 0 : 1);
}

static void OnFault(int signal_number, siginfo_t* info, void* context) {
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  const uint8_t* at = (const uint8_t*)registers[REG_RIP];
  const uint32_t leaf = (uint32_t)registers[REG_RAX];
  const uint32_t subleaf = (uint32_t)registers[REG_RCX];
  uint32_t a, b, c, d;
  (void)info;
  if (at[0] != 0x0f || at[1] != 0xa2) { /* not CPUID: a real fault */
    signal(signal_number, SIG_DFL);
    return;
  }
  SetCpuidFaults(0);
  __asm__ volatile("cpuid"
                   : "=a"(a), "=b"(b), "=c"(c), "=d"(d)
                   : "a"(leaf), "c"(subleaf));
  SetCpuidFaults(1);
#ifdef ONLY_AMX
  if (leaf == 7 && subleaf == 0) {
    d &= ~(BIT(22) | BIT(24) | BIT(25)); /* AMX-BF16, AMX-TILE, AMX-INT8 */
  } else if (leaf == 7 && subleaf == 1) {
    a &= ~BIT(21); /* AMX-FP16 */
  }
#else
  if (leaf == 7 && subleaf == 0) {
    /* F, DQ, IFMA, PF, ER, CD, BW, VL */
    b &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31));
    /* VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ */
    c &= ~(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14));
    /* 4VNNIW, 4FMAPS, VP2INTERSECT, AMX-BF16, FP16, AMX-TILE, AMX-INT8 */
    d &= ~(BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25));
  } else if (leaf == 7 && subleaf == 1) {
    a &= ~(BIT(4) | BIT(5) | BIT(21)); /* AVX-VNNI, AVX512-BF16, AMX-FP16 */
    d = 0;                             /* AVX-VNNI-INT8, AVX10 */
  }
#endif
  registers[REG_RAX] = a;
  registers[REG_RBX] = b;
  registers[REG_RCX] = c;
  registers[REG_RDX] = d;
  registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void Begin(void) {
  struct sigaction action = {0};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, NULL);
  if (SetCpuidFaults(1) != 0) {
    fputs("this processor cannot hide instructions: CPUID does not fault\n", stderr);
    exit(1);
  }
}
