#include "common/scratch_vector.h"

// WebAssembly only grows: its mmap is a heap that clears what it gives.
#if (defined(__unix__) || defined(__APPLE__)) && !defined(__wasm__)
#include <sys/mman.h>
#define KERAS_DC_HAS_MMAP
#endif

namespace keras_dc {

#if defined(KERAS_DC_HAS_MMAP)
namespace {

// Smaller blocks come from the heap: a call to the system takes as long as
// writing them.
constexpr size_t kMinMappedBytes = 64 * 1024;
// The usual size of a large page.
[[maybe_unused]] constexpr size_t kLargePageBytes = 2 << 20;

}  // namespace
#endif

void* AllocateScratch(size_t size_bytes) {
#if defined(KERAS_DC_HAS_MMAP)
  if (size_bytes >= kMinMappedBytes) {
    void* memory = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) ThrowBadAlloc();
#if defined(MADV_HUGEPAGE)
    // Large pages mean far fewer page faults. A failure costs nothing.
    if (size_bytes >= kLargePageBytes) {
      madvise(memory, size_bytes, MADV_HUGEPAGE);
    }
#endif
    return memory;
  }
#endif
  return ::operator new(size_bytes);
}

void FreeScratch(void* memory, [[maybe_unused]] size_t size_bytes) {
#if defined(KERAS_DC_HAS_MMAP)
  if (size_bytes >= kMinMappedBytes) {
    munmap(memory, size_bytes);
    return;
  }
#endif
  ::operator delete(memory);
}

}  // namespace keras_dc
