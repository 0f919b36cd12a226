// The functions by which a runtime makes and destroys the library's delegate.
#ifndef KERAS_DC_TESTS_CPP_DELEGATE_PLUGIN_H_
#define KERAS_DC_TESTS_CPP_DELEGATE_PLUGIN_H_

#include <cstddef>

#include "keras_dc/tflite_abi.h"

extern "C" {
TfLiteDelegate* tflite_plugin_create_delegate(
    char** keys, char** values, size_t num_options,
    void (*report_error)(const char*));
void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate);
}

#endif  // KERAS_DC_TESTS_CPP_DELEGATE_PLUGIN_H_
