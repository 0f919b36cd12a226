// Where C++ ends: no exception may reach a C caller, a runtime, or the end of a
// thread.
//
// Our code throws std::bad_alloc alone, here. A build without exceptions
// (KERAS_DC_EXCEPTIONS=OFF) ends the program instead.
#ifndef KERAS_DC_SRC_COMMON_NO_THROW_H_
#define KERAS_DC_SRC_COMMON_NO_THROW_H_

#include <cstdlib>
#include <exception>
#include <new>

#include "keras_dc/codec.h"

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define KERAS_DC_HAS_EXCEPTIONS
#endif

namespace keras_dc {

// There is no memory.
[[noreturn]] inline void ThrowBadAlloc() {
#if defined(KERAS_DC_HAS_EXCEPTIONS)
  throw std::bad_alloc();
#else
  std::abort();
#endif
}

// What `task` returns, or what `on_throw` does if it throws.
template <typename Task, typename OnThrow>
auto NoThrow(Task task, [[maybe_unused]] OnThrow on_throw) noexcept
    -> decltype(task()) {
#if defined(KERAS_DC_HAS_EXCEPTIONS)
  try {
    return task();
  } catch (const std::exception&) {
    return on_throw();
  }
#else
  return task();
#endif
}

// The status that `task` returns, or KDC_OUT_OF_MEMORY if it throws: our code
// throws for no other reason.
template <typename Task>
kdc_status NoThrow(Task task) noexcept {
  return NoThrow(task, [] { return KDC_OUT_OF_MEMORY; });
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_NO_THROW_H_
