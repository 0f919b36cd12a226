// The keras_dc ops as a delegate of a TFLite interpreter, for programs that
// attach one: TfLiteInterpreterOptionsAddDelegate in C, ModifyGraphWithDelegate
// in C++, Interpreter.Options.addDelegate on Android, a Delegate in Swift.
//
// These are the names by which runtimes load external delegates from a library.
#ifndef KERAS_DC_DELEGATE_H_
#define KERAS_DC_DELEGATE_H_

#include <stddef.h>

#include "keras_dc/codec.h"

#ifdef __cplusplus
extern "C" {
#endif

struct TfLiteDelegate;

// A delegate, which must outlive the interpreters that it is attached to. Each
// of `num_options` options has a key and a value; the one that there is is
// "low_memory", "true" or "false": decode weights at every run. Null if that
// fails; `report_error`, which may be null, then gets a sentence.
KDC_EXPORT struct TfLiteDelegate* tflite_plugin_create_delegate(
    char** keys, char** values, size_t num_options,
    void (*report_error)(const char* message));

KDC_EXPORT void tflite_plugin_destroy_delegate(struct TfLiteDelegate* delegate);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // KERAS_DC_DELEGATE_H_
