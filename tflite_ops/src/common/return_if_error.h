// The macro that passes an error on to the caller.
#ifndef KERAS_DC_SRC_COMMON_RETURN_IF_ERROR_H_
#define KERAS_DC_SRC_COMMON_RETURN_IF_ERROR_H_

#include <string>

#include "keras_dc/codec.h"

namespace keras_dc {

inline bool IsError(kdc_status status) { return status != KDC_OK; }
// An Error of tflite/op.h: a sentence, empty if nothing is wrong.
inline bool IsError(const std::string& error) { return !error.empty(); }

}  // namespace keras_dc

// Returns the value of the expression, a kdc_status or an Error, from the
// enclosing function if it is an error.
#define KDC_RETURN_IF_ERROR(...)                                        \
  do {                                                                  \
    if (auto kdc_error = (__VA_ARGS__); keras_dc::IsError(kdc_error)) { \
      return kdc_error;                                                 \
    }                                                                   \
  } while (false)

#endif  // KERAS_DC_SRC_COMMON_RETURN_IF_ERROR_H_
