// Checks the bytes of a .tflite file, for runtimes that do not.
#ifndef KERAS_DC_MODEL_H_
#define KERAS_DC_MODEL_H_

#include <stddef.h>
#include <stdint.h>

#include "keras_dc/codec.h"

#ifdef __cplusplus
extern "C" {
#endif

// Null if a runtime can read the model without leaving its bytes: every table,
// vector and string that TFLite's schema knows lies within them, and so does
// what lies behind the flatbuffer; every index has its tensor, buffer or
// operator code; and there is a subgraph. Else one English sentence without a
// full stop. Values (shapes, types, options) are left to the runtime. Allocates
// nothing.
KDC_EXPORT const char* kdc_check_model(const uint8_t* bytes, size_t size);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // KERAS_DC_MODEL_H_
