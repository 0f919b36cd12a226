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

// The registrations live as long as the library; the runtime copies them.
KDC_EXPORT TfLiteRegistration* kdc_register_fully_connected(void);
KDC_EXPORT TfLiteRegistration* kdc_register_conv_2d(void);
KDC_EXPORT TfLiteRegistration* kdc_register_decode(void);

}  // extern "C"

namespace keras_dc {

// `Resolver` is tflite::MutableOpResolver, or anything with its AddCustom.
template <typename Resolver>
void RegisterOps(Resolver* resolver) {
  resolver->AddCustom("KerasDcFullyConnected", kdc_register_fully_connected());
  resolver->AddCustom("KerasDcConv2D", kdc_register_conv_2d());
  resolver->AddCustom("KerasDcDecode", kdc_register_decode());
}

}  // namespace keras_dc

#endif  // KERAS_DC_REGISTER_OPS_H_
