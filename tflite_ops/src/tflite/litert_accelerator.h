// The delegate as an accelerator of LiteRT (keras_dc/litert.h).
#ifndef KERAS_DC_TFLITE_LITERT_ACCELERATOR_H_
#define KERAS_DC_TFLITE_LITERT_ACCELERATOR_H_

#include <functional>

namespace keras_dc {

// Gives the address of a function or an object of LiteRT, or null.
using FindSymbol = std::function<void*(const char* name)>;

// As kdc_add_to_litert, with the LiteRT that `find` looks into.
const char* AddToLiteRt(void* environment, bool low_memory,
                        const FindSymbol& find);

}  // namespace keras_dc

#endif  // KERAS_DC_TFLITE_LITERT_ACCELERATOR_H_
