// Bytes that the byte model has seen before the file begins (PACK.md, 4.8).
#ifndef KERAS_DC_SRC_BYTES_DICTIONARY_H_
#define KERAS_DC_SRC_BYTES_DICTIONARY_H_

#include <cstddef>
#include <cstdint>

#include "bytes/byte_model.h"

namespace keras_dc {

extern const uint8_t kDictionary[];
extern const size_t kDictionarySize;

// Shows the dictionary to a model that has seen nothing.
void LearnDictionary(ByteModel* model);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_DICTIONARY_H_
