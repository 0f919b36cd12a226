// A vector aligned to cache lines, for SIMD loads. A large one lies in huge
// pages if the system has some: weights are read from end to end, and a
// processor caches the addresses of few pages.
#ifndef KERAS_DC_SRC_KERNELS_FORMS_ALIGNED_VECTOR_H_
#define KERAS_DC_SRC_KERNELS_FORMS_ALIGNED_VECTOR_H_

#include <cstddef>
#include <new>
#include <vector>

#include "common/no_throw.h"

namespace keras_dc {

void* AllocateAligned(size_t size_bytes);
// `size_bytes` must be what the memory was allocated with.
void FreeAligned(void* memory, size_t size_bytes);

// Returns the memory behind the first `used_bytes` to the system.
void ReleaseBehind(void* memory, size_t used_bytes, size_t size_bytes);

template <typename T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <typename U>
  AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT: a conversion

  T* allocate(size_t size) {
    if (size > static_cast<size_t>(-1) / sizeof(T)) ThrowBadAlloc();
    return static_cast<T*>(AllocateAligned(size * sizeof(T)));
  }
  void deallocate(T* memory, size_t size) {
    FreeAligned(memory, size * sizeof(T));
  }

  template <typename U>
  bool operator==(const AlignedAllocator<U>&) const {
    return true;
  }
  template <typename U>
  bool operator!=(const AlignedAllocator<U>&) const {
    return false;
  }
};

template <typename T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

// Returns reserved memory that has no elements to the system. To be called when
// no more elements come.
template <typename T>
void ReleaseSpare(AlignedVector<T>* vector) {
  ReleaseBehind(vector->data(), vector->size() * sizeof(T),
                vector->capacity() * sizeof(T));
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_FORMS_ALIGNED_VECTOR_H_
