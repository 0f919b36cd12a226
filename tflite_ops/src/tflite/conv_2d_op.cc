// KerasDcConv2D: CONV_2D of float32 whose weights, the kernel, are a blob.
//
// Inputs and output: weight_op.h; images in NHWC, kernel [filters, height,
// width, channels]. Custom options, each a byte: fused activation, padding (0
// SAME, 1 VALID), version of the operator that was replaced less 1, then less 1
// too: vertical stride, horizontal stride, vertical dilation, horizontal
// dilation; then the place in a bundle.
#include <algorithm>

#include "kernels/conv_2d.h"
#include "tflite/weight_op.h"

namespace keras_dc {
namespace {

constexpr size_t kPlaceOption = 7;
constexpr size_t kMaxOptionBytes = 8;
constexpr uint8_t kValidPadding = 1;

// Input pixels that one output pixel may look across.
constexpr int64_t kMaxReach = 4096;
// Of both axes multiplied: the tables of a plan grow with it.
constexpr int64_t kMaxArea = 65536;
// Multiplications below which a thread costs more than it brings.
constexpr size_t kMinMultiplicationsPerThread = 512 * 1024;

class Conv2DOp : public WeightOp<Conv2D, ConvPlan, ConvScratch> {
 public:
  Conv2DOp(const NodeOptions& options, std::shared_ptr<OpResources> resources)
      : WeightOp("KerasDcConv2D", "a kernel",
                 "[filters, height, width, channels]", options, kPlaceOption,
                 kMaxOptionBytes, std::move(resources)) {
    if (options_error_.empty() && options_[1] > kValidPadding) {
      options_error_ = "unknown padding " + std::to_string(options_[1]);
    }
    shape_.height.stride = options_[3] + 1;
    shape_.width.stride = options_[4] + 1;
    shape_.height.dilation = options_[5] + 1;
    shape_.width.dilation = options_[6] + 1;
  }

 private:
  bool HasWeightsShape(const kdc_blob_info& kernel) const override {
    return kernel.rank == 4 && kernel.num_weights != 0;
  }

  Error CheckShapes(const TfLiteIntArray& dims,
                    std::vector<int>* output_shape) override {
    const int64_t filters = info().shape[0], channels = info().shape[3];
    const auto misfit = [&](const std::string& why) {
      return "the input shape " + ShapeString(&dims) +
             " does not fit a kernel of shape " + WeightsShape() + why;
    };
    if (dims.size != 4 ||
        std::any_of(dims.data, dims.data + 4, [](int d) { return d < 0; })) {
      return misfit("");
    }
    if (dims.data[3] != channels) {
      const bool is_grouped = dims.data[3] % channels == 0;
      return misfit(is_grouped ? ": grouped convolution is not fused" : "");
    }
    shape_.batch = static_cast<size_t>(dims.data[0]);
    shape_.height.input = dims.data[1];
    shape_.height.kernel = info().shape[1];
    shape_.width.input = dims.data[2];
    shape_.width.kernel = info().shape[2];
    const bool is_valid_padding = options_[1] == kValidPadding;
    if (!FillAxis(is_valid_padding, &shape_.height) ||
        !FillAxis(is_valid_padding, &shape_.width)) {
      return misfit(" without padding");
    }
    int64_t area = 1;
    for (const ConvAxis& axis : {shape_.height, shape_.width}) {
      const int64_t reach = axis.kernel * axis.dilation;
      area *= std::min(reach, kMaxArea);
      if (reach > kMaxReach || area > kMaxArea) {
        return "a kernel of shape " + WeightsShape() +
               " reaches too far to be fused";
      }
    }
    const int64_t height = shape_.height.output, width = shape_.width.output;
    if (!CountFloatBytes({dims.data[0], dims.data[1], dims.data[2], channels},
                         &input_bytes_) ||
        !CountFloatBytes({dims.data[0], height, width, filters},
                         &output_bytes_)) {
      return "the input shape " + ShapeString(&dims) + " is out of range";
    }
    *output_shape = {dims.data[0], static_cast<int>(height),
                     static_cast<int>(width), static_cast<int>(filters)};
    return "";
  }

  ConvPlan MakePlan(size_t num_rows, Isa isa,
                    size_t num_threads) const override {
    const size_t num_pixels =
        output_bytes_ / sizeof(float) / static_cast<size_t>(info().shape[0]);
    const size_t most_threads = 1 + static_cast<size_t>(info().num_kept) *
                                        num_pixels /
                                        kMinMultiplicationsPerThread;
    return ConvPlan(shape_, num_rows, static_cast<size_t>(info().shape[3]), isa,
                    std::min(num_threads, most_threads));
  }

  ConvShape shape_;
};

}  // namespace

std::unique_ptr<Op> MakeConv2D(const NodeOptions& options,
                               std::shared_ptr<OpResources> resources) {
  return std::make_unique<Conv2DOp>(options, std::move(resources));
}

}  // namespace keras_dc
