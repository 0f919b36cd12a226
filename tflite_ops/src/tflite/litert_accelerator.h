// The delegate as an accelerator of LiteRT (keras_dc/litert.h).
#ifndef KERAS_DC_TFLITE_LITERT_ACCELERATOR_H_
#define KERAS_DC_TFLITE_LITERT_ACCELERATOR_H_

namespace keras_dc {

// Gives the address of a function or an object of a LiteRT, or null.
using FindSymbol = void*(void* litert, const char* name);

// As kdc_add_to_litert, with the `litert` that `find` looks into.
const char* AddToLiteRt(void* environment, bool low_memory, void* litert,
                        FindSymbol* find_symbol);

}  // namespace keras_dc

#endif  // KERAS_DC_TFLITE_LITERT_ACCELERATOR_H_
