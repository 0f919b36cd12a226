// The bytes of tflite_ops/dictionary.bin, written by tests/golden/make_dictionary.py.
#include "bytes/dictionary.h"

namespace keras_dc {

const uint8_t kDictionary[] = {0};
const size_t kDictionarySize = sizeof(kDictionary);

}  // namespace keras_dc
