// output = activation(conv(input, kernel) + bias), kernel pruned and shared.
#ifndef KERAS_DC_SRC_KERNELS_CONV_2D_H_
#define KERAS_DC_SRC_KERNELS_CONV_2D_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoder.h"
#include "keras_dc/codec.h"
#include "kernels/activation.h"
#include "kernels/fully_connected.h"

namespace keras_dc {

// One spatial dimension of a convolution: output position `o` reads input
// positions `o * stride + k * dilation - padding`, for k from 0 to kernel - 1.
// Positions outside the input read zeros.
struct ConvAxis {
  int64_t input = 0;
  int64_t output = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t padding = 0;
};

struct ConvShape {
  ConvAxis height;
  ConvAxis width;
  size_t batch = 0;
};

class Conv2D {
 public:
  // Packs a float32 kernel of shape [filters, height, width, channels]; any
  // other dtype or rank is refused with KDC_INVALID_ARGUMENT.
  static kdc_status Pack(SparseTensor kernel, Conv2D* packed);

  // Inputs that are Inf or NaN give what IEEE arithmetic gives for the dense
  // layer, pruned weights and padding being zeros.
  //
  // Args:
  //   input: (batch, height, width, channels), C order.
  //   bias: (filters) or null.
  //   scratch: kept by the caller between calls, so that none allocates.
  //   output: (batch, height, width, filters), C order.
  void Run(const ConvShape& shape, const float* input, const float* bias,
           Activation activation, std::vector<float>* scratch,
           float* output) const;

  size_t filters() const { return matrix_.num_rows(); }
  size_t kernel_height() const { return kernel_height_; }
  size_t kernel_width() const { return kernel_width_; }
  size_t channels() const { return channels_; }
  size_t size_bytes() const { return matrix_.size_bytes(); }

 private:
  // Copies what output pixel (y, x) of an image reads: (height, width,
  // channels) of the kernel.
  void CopyPatch(const ConvShape& shape, const float* image, int64_t y,
                 int64_t x, float* patch) const;

  size_t kernel_height_ = 0;
  size_t kernel_width_ = 0;
  size_t channels_ = 0;
  FullyConnected matrix_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_CONV_2D_H_
