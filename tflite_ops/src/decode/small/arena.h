// The caller's memory, taken from one end to the other.
#ifndef KERAS_DC_SRC_DECODE_SMALL_ARENA_H_
#define KERAS_DC_SRC_DECODE_SMALL_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <new>

namespace keras_dc {

class Arena {
 public:
  Arena(void* memory, size_t size)
      : next_(static_cast<uint8_t*>(memory)), left_(size) {}

  // Null if there is too little.
  uint8_t* Take(size_t size, size_t alignment = 1) {
    const size_t behind = reinterpret_cast<uintptr_t>(next_) % alignment;
    const size_t skipped = behind == 0 ? 0 : alignment - behind;
    if (skipped > left_ || size > left_ - skipped) return nullptr;
    uint8_t* taken = next_ + skipped;
    next_ += skipped + size;
    left_ -= skipped + size;
    return taken;
  }

  // An object that is never destroyed, or null.
  template <typename Object>
  Object* Make() {
    uint8_t* memory = Take(sizeof(Object), alignof(Object));
    return memory == nullptr ? nullptr : new (memory) Object();
  }

 private:
  uint8_t* next_;
  size_t left_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SMALL_ARENA_H_
