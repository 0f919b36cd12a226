// Where C++ ends: no exception may reach a C caller, a runtime, or the end of a
// thread.
#ifndef KERAS_DC_SRC_COMMON_NO_THROW_H_
#define KERAS_DC_SRC_COMMON_NO_THROW_H_

#include <exception>

#include "keras_dc/codec.h"

namespace keras_dc {

// What `task` returns, or what `on_throw` does if it throws.
template <typename Task, typename OnThrow>
auto NoThrow(Task task, OnThrow on_throw) noexcept -> decltype(task()) {
  try {
    return task();
  } catch (const std::exception&) {
    return on_throw();
  }
}

// The status that `task` returns, or KDC_OUT_OF_MEMORY if it throws: our code
// throws for no other reason.
template <typename Task>
kdc_status NoThrow(Task task) noexcept {
  return NoThrow(task, [] { return KDC_OUT_OF_MEMORY; });
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_NO_THROW_H_
