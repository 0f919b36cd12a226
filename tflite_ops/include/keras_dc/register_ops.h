// For C++ apps: adds the keras_dc ops to an op resolver.
//
//   tflite::ops::builtin::BuiltinOpResolver resolver;
//   keras_dc::RegisterOps(&resolver);
//   tflite::InterpreterBuilder(*model, resolver)(&interpreter);
//
// No delegate is needed then.
#ifndef KERAS_DC_REGISTER_OPS_H_
#define KERAS_DC_REGISTER_OPS_H_

#include "keras_dc/codec.h"
#include "keras_dc/tflite_abi.h"

extern "C" {

// The custom ops of the library, from 0 on; null behind the last one. They live
// as long as the library; the runtime copies them.
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
