// Encodes a tensor that has one codebook, and a scale for each channel
// (FORMAT.md, 4).
#ifndef KERAS_DC_SRC_ENCODE_SCALED_ENCODER_H_
#define KERAS_DC_SRC_ENCODE_SCALED_ENCODER_H_

#include <cstdint>
#include <vector>

#include "keras_dc/codec.h"

namespace keras_dc {

// See kdc_encode_scaled. May throw std::bad_alloc.
kdc_status EncodeScaled(const void* values, int32_t dtype, const int64_t* shape,
                        int32_t rank, const std::vector<double>& codebook,
                        const std::vector<double>& scales, int32_t scale_axis,
                        std::vector<uint8_t>* blob);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_SCALED_ENCODER_H_
