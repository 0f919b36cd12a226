// What a KerasDcConv2D node says beside its tensors.
#ifndef KERAS_DC_SRC_TFLITE_CONV_2D_OPTIONS_H_
#define KERAS_DC_SRC_TFLITE_CONV_2D_OPTIONS_H_

#include <cstddef>
#include <cstdint>

#include "kernels/activation.h"
#include "kernels/pixel_grid.h"
#include "tflite/op.h"

namespace keras_dc {

struct Conv2DOptions {
  Activation activation = Activation::kNone;
  bool is_valid_padding = false;
  ConvAxis height;  // stride and dilation only
  ConvAxis width;
};

// Reads the custom options, each a byte, a missing one being 0: fused
// activation, padding (0 SAME, 1 VALID), version of the operator that was
// replaced less 1, then less 1 too: vertical stride, horizontal stride,
// vertical dilation, horizontal dilation.
Error ParseConv2DOptions(const uint8_t* bytes, size_t size,
                         Conv2DOptions* options);

// Output size and padding as TFLite computes them; false if the output would be
// empty though the input is not, or negative.
bool FillAxis(bool is_valid_padding, ConvAxis* axis);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_CONV_2D_OPTIONS_H_
