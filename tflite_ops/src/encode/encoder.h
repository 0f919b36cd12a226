// From numbers to blob. The inverse of the decoder; the two share common/
// alone.
#ifndef KERAS_DC_SRC_ENCODE_ENCODER_H_
#define KERAS_DC_SRC_ENCODE_ENCODER_H_

#include <cstdint>
#include <vector>

#include "keras_dc/codec.h"

namespace keras_dc {

// Codes `values` (C order, `rank` dimensions) as the smallest blob among the
// layouts that FORMAT.md allows: with gaps of 1 to 8 bits or without, by rows
// or by columns, with a codebook or without. May throw std::bad_alloc.
kdc_status Encode(const void* values, int32_t dtype, const int64_t* shape,
                  int32_t rank, int32_t zero_point, std::vector<uint8_t>* blob);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_ENCODER_H_
