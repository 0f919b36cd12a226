#include "kernels/conv_2d.h"

#include <algorithm>
#include <utility>

namespace keras_dc {
namespace {

constexpr size_t kPixelsTogether = 32;

}  // namespace

kdc_status Conv2D::Pack(SparseTensor kernel, Conv2D* packed) {
  if (kernel.shape.size() != 4) return KDC_INVALID_ARGUMENT;
  Conv2D result;
  result.kernel_height_ = static_cast<size_t>(kernel.shape[1]);
  result.kernel_width_ = static_cast<size_t>(kernel.shape[2]);
  result.channels_ = static_cast<size_t>(kernel.shape[3]);
  const kdc_status status =
      FullyConnected::Pack(std::move(kernel), &result.matrix_);
  if (status == KDC_OK) *packed = std::move(result);
  return status;
}

void Conv2D::CopyPatch(const ConvShape& shape, const float* image, int64_t y,
                       int64_t x, float* patch) const {
  const ConvAxis& height = shape.height;
  const ConvAxis& width = shape.width;
  for (int64_t ky = 0; ky < height.kernel; ++ky) {
    const int64_t in_y =
        y * height.stride + ky * height.dilation - height.padding;
    for (int64_t kx = 0; kx < width.kernel; ++kx) {
      const int64_t in_x =
          x * width.stride + kx * width.dilation - width.padding;
      if (in_y < 0 || in_y >= height.input || in_x < 0 || in_x >= width.input) {
        std::fill_n(patch, channels_, 0.0f);
      } else {
        const int64_t pixel = in_y * width.input + in_x;
        std::copy_n(image + static_cast<size_t>(pixel) * channels_, channels_,
                    patch);
      }
      patch += channels_;
    }
  }
}

void Conv2D::Run(const ConvShape& shape, const float* input, const float* bias,
                 Activation activation, std::vector<float>* scratch,
                 float* output) const {
  const size_t patch_size = matrix_.num_columns();
  const size_t image_size =
      static_cast<size_t>(shape.height.input * shape.width.input) * channels_;
  std::vector<float> patches(kPixelsTogether * patch_size);
  size_t num_pixels = 0;
  const auto flush = [&] {
    matrix_.Run(patches.data(), num_pixels, bias, activation, scratch, output);
    output += num_pixels * matrix_.num_rows();
    num_pixels = 0;
  };
  for (size_t b = 0; b < shape.batch; ++b) {
    for (int64_t y = 0; y < shape.height.output; ++y) {
      for (int64_t x = 0; x < shape.width.output; ++x) {
        CopyPatch(shape, input + b * image_size, y, x,
                  patches.data() + num_pixels * patch_size);
        if (++num_pixels == kPixelsTogether) flush();
      }
    }
  }
  flush();
}

}  // namespace keras_dc
