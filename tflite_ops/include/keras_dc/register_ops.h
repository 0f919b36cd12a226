// For C++ programs: adds the keras_dc ops to an op resolver.
//
//   tflite::ops::builtin::BuiltinOpResolver resolver;
//   keras_dc::RegisterOps(&resolver);
//   tflite::InterpreterBuilder(*model, resolver)(&interpreter);
//
// A program that does this needs no delegate.
#ifndef KERAS_DC_REGISTER_OPS_H_
#define KERAS_DC_REGISTER_OPS_H_

#include "keras_dc/codec.h"
#include "keras_dc/tflite_abi.h"

extern "C" {

// The registration of each custom op of the library, `index` from 0 on; null
// behind the last one. Registrations live as long as the library; the runtime
// copies them.
KDC_EXPORT const TfLiteRegistration* kdc_registration(size_t index);

}  // extern "C"

namespace keras_dc {

// `Resolver` is tflite::MutableOpResolver, or anything with its AddCustom.
template <typename Resolver>
void RegisterOps(Resolver* resolver) {
  for (size_t i = 0; kdc_registration(i) != nullptr; ++i) {
    resolver->AddCustom(kdc_registration(i)->custom_name, kdc_registration(i));
  }
}

}  // namespace keras_dc

#endif  // KERAS_DC_REGISTER_OPS_H_
