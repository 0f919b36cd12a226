#include "keras_dc/register_ops.h"

#include "tflite/ops.h"

TfLiteRegistration* kdc_register_fully_connected(void) {
  static TfLiteRegistration registration =
      keras_dc::MakeRegistration(keras_dc::kFullyConnectedName);
  return &registration;
}

TfLiteRegistration* kdc_register_conv_2d(void) {
  static TfLiteRegistration registration =
      keras_dc::MakeRegistration(keras_dc::kConv2DName);
  return &registration;
}

TfLiteRegistration* kdc_register_decode(void) {
  static TfLiteRegistration registration =
      keras_dc::MakeRegistration(keras_dc::kDecodeName);
  return &registration;
}
