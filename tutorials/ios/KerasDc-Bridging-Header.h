// Gives Swift the C functions of keras_dc. TfLiteDelegate comes first, whole: Swift then has one
// type for the pointers of both.
@import TensorFlowLiteC;

#include "keras_dc/delegate.h"
#include "keras_dc/pack.h"
