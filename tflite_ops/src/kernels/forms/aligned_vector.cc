#include "kernels/forms/aligned_vector.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace keras_dc {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kHugePage = size_t{2} << 20;
// The last huge page is seldom full. Smaller vectors would waste too much.
constexpr size_t kMinHugeBytes = 2 * kHugePage;

std::align_val_t AlignmentOf(size_t size_bytes) {
  return std::align_val_t{size_bytes < kMinHugeBytes ? kCacheLine : kHugePage};
}

}  // namespace

void* AllocateAligned(size_t size_bytes) {
  void* memory = ::operator new(size_bytes, AlignmentOf(size_bytes));
#if defined(__linux__)
  if (size_bytes >= kMinHugeBytes) {
    // If it fails, the pages are small.
    madvise(memory, size_bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  }
#endif
  return memory;
}

void ReleaseBehind(void* memory, size_t used_bytes, size_t size_bytes) {
#if defined(__linux__)
  if (size_bytes < kMinHugeBytes) return;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t begin = (used_bytes + page - 1) / page * page;
  const size_t end = size_bytes / page * page;
  if (begin < end) {
    madvise(static_cast<char*>(memory) + begin, end - begin, MADV_DONTNEED);
  }
#else
  (void)memory, (void)used_bytes, (void)size_bytes;
#endif
}

void FreeAligned(void* memory, size_t size_bytes) {
  ::operator delete(memory, AlignmentOf(size_bytes));
}

}  // namespace keras_dc
