// A vector for what is large and short-lived: decoded entries, before a kernel
// packs them into its form.
//
// Its memory comes from the system and goes back to it. A heap would keep it:
// the process would hold the memory of the entries for good. New elements are
// not initialized, since all of them are written afterwards.
#ifndef KERAS_DC_SRC_COMMON_SCRATCH_VECTOR_H_
#define KERAS_DC_SRC_COMMON_SCRATCH_VECTOR_H_

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/no_throw.h"

namespace keras_dc {

// Throws std::bad_alloc.
void* AllocateScratch(size_t size_bytes);
void FreeScratch(void* memory, size_t size_bytes);

template <typename T>
struct ScratchAllocator {
  static_assert(std::is_trivially_destructible_v<T>);
  using value_type = T;
  ScratchAllocator() = default;
  template <typename U>
  ScratchAllocator(const ScratchAllocator<U>&) {}  // NOLINT: a conversion

  T* allocate(size_t size) {
    if (size > static_cast<size_t>(-1) / sizeof(T)) ThrowBadAlloc();
    return static_cast<T*>(AllocateScratch(size * sizeof(T)));
  }
  void deallocate(T* memory, size_t size) {
    FreeScratch(memory, size * sizeof(T));
  }

  template <typename U>
  void construct(U* at) {
    ::new (static_cast<void*>(at)) U;
  }
  template <typename U, typename... Args>
  void construct(U* at, Args&&... args) {
    ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
  }

  template <typename U>
  bool operator==(const ScratchAllocator<U>&) const {
    return true;
  }
  template <typename U>
  bool operator!=(const ScratchAllocator<U>&) const {
    return false;
  }
};

// resize() leaves new elements uninitialized.
template <typename T>
using ScratchVector = std::vector<T, ScratchAllocator<T>>;

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_SCRATCH_VECTOR_H_
