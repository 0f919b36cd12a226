// From the Huffman coder to the arithmetic coder.
#ifndef KERAS_DC_SRC_API_RECODER_H_
#define KERAS_DC_SRC_API_RECODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "keras_dc/codec.h"

namespace keras_dc {

// See kdc_recode. May throw std::bad_alloc.
kdc_status Recode(const uint8_t* bytes, size_t size, bool has_mask_model,
                  std::vector<uint8_t>* recoded);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_API_RECODER_H_
