// For programs of LiteRT's CompiledModel API, which knows no op resolvers.
//
//   LiteRtCreateEnvironment(num_options, options, &environment);
//   const char* fault = kdc_add_to_litert(environment, NULL, 0);
//   if (fault != NULL) ...
//   LiteRtCreateCompiledModel(environment, model, options, &compiled);
//
// A compiled model without the keras_dc ops fails at a compressed file with
// "Failed to allocate tensors".
#ifndef KERAS_DC_LITERT_H_
#define KERAS_DC_LITERT_H_

#include <stdint.h>

#include "keras_dc/codec.h"

#ifdef __cplusplus
extern "C" {
#endif

// Adds the keras_dc ops to a LiteRtEnvironment, as an accelerator of the CPU:
// all models compiled in that environment from then on know them.
//
// `library` is LiteRT's library as dlopen (on Windows LoadLibrary) gave it;
// null: it is looked for in what the process has loaded. With `low_memory`
// other than 0, weights are decoded at every run. Null if that is done, else
// one English sentence without a full stop.
//
// LiteRT's functions for accelerators are in none of its public headers. The
// library looks for them by name and knows those of LiteRT 2.2 and 2.3; it
// refuses older releases. A newer one, whose functions have other arguments,
// shows that at the latest in LiteRtCreateCompiledModel, which then returns
// kLiteRtStatusErrorWrongVersion.
KDC_EXPORT const char* kdc_add_to_litert(void* environment, void* library,
                                         int32_t low_memory);

// How many delegates LiteRT has asked the library for in this process: one more
// for each model that is compiled, if LiteRT knows the keras_dc ops.
KDC_EXPORT int64_t kdc_num_litert_delegates(void);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // KERAS_DC_LITERT_H_
