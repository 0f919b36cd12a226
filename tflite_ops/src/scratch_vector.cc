#include "scratch_vector.h"

#include <cstdint>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#define KERAS_DC_HAS_MMAP
#endif

namespace keras_dc {

#if defined(KERAS_DC_HAS_MMAP)
namespace {

// Less is left to the heap: a call to the system takes as long as writing it.
constexpr size_t kMinMappedBytes = 64 * 1024;
// The size of a large page, as a rule, and the most that a small one has.
constexpr size_t kLargePageBytes = 2 << 20;
constexpr size_t kMaxPageBytes = 64 * 1024;

// A wish: nothing is lost where it is not granted.
void AskFromPageOn(void* page, size_t size_bytes) {
#if defined(MADV_HUGEPAGE)
  if (size_bytes >= kLargePageBytes) madvise(page, size_bytes, MADV_HUGEPAGE);
#else
  static_cast<void>(page);
  static_cast<void>(size_bytes);
#endif
}

}  // namespace
#endif

void AskForLargePages(void* memory, size_t size_bytes) {
#if defined(KERAS_DC_HAS_MMAP)
  const auto begin = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t page = (begin + kMaxPageBytes - 1) & ~(kMaxPageBytes - 1);
  if (size_bytes >= kLargePageBytes) {
    AskFromPageOn(reinterpret_cast<void*>(page), begin + size_bytes - page);
  }
#else
  static_cast<void>(memory);
  static_cast<void>(size_bytes);
#endif
}

void* AllocateScratch(size_t size_bytes) {
#if defined(KERAS_DC_HAS_MMAP)
  if (size_bytes >= kMinMappedBytes) {
    void* memory = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    AskFromPageOn(memory, size_bytes);
    return memory;
  }
#endif
  return ::operator new(size_bytes);
}

void FreeScratch(void* memory, size_t size_bytes) {
#if defined(KERAS_DC_HAS_MMAP)
  if (size_bytes >= kMinMappedBytes) {
    munmap(memory, size_bytes);
    return;
  }
#endif
  ::operator delete(memory);
}

}  // namespace keras_dc
