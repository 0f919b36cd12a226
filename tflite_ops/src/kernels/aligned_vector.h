// A vector whose elements begin at a cache line, as SIMD loads want them.
#ifndef KERAS_DC_SRC_KERNELS_ALIGNED_VECTOR_H_
#define KERAS_DC_SRC_KERNELS_ALIGNED_VECTOR_H_

#include <cstddef>
#include <new>
#include <vector>

namespace keras_dc {

inline constexpr std::align_val_t kCacheLine{64};

template <typename T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <typename U>
  AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT: a conversion

  T* allocate(size_t size) {
    if (size > static_cast<size_t>(-1) / sizeof(T)) throw std::bad_alloc();
    return static_cast<T*>(::operator new(size * sizeof(T), kCacheLine));
  }
  void deallocate(T* memory, size_t) { ::operator delete(memory, kCacheLine); }

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

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_ALIGNED_VECTOR_H_
