// KerasDcConv2D: CONV_2D whose weights, the kernel, are a blob, of float32 or
// int8.
//
// Inputs and output: weight_op.h; images in NHWC, kernel [filters, height,
// width, channels]. Custom options, each a byte: fused activation, padding (0
// SAME, 1 VALID; flags for int8), version of the operator that was replaced
// less 1, then less 1 too: vertical stride, horizontal stride, vertical
// dilation, horizontal dilation; then the place in a bundle.
#include <algorithm>

#include "kernels/conv_2d.h"
#include "kernels/int8_conv_2d.h"
#include "tflite/float_weight_op.h"
#include "tflite/int8_weight_op.h"

namespace keras_dc {
namespace {

constexpr OpTexts kTexts = {"KerasDcConv2D", "a kernel",
                            "[filters, height, width, channels]", 7, 8};
constexpr uint8_t kValidPadding = 1;

// Input pixels that one output pixel may look across.
constexpr int64_t kMaxReach = 4096;
// Of both axes multiplied: the tables of a plan grow with it.
constexpr int64_t kMaxArea = 65536;
// Multiplications below which a thread costs more than it brings.
constexpr size_t kMinMultiplicationsPerThread = 512 * 1024;

using FloatOp = FloatWeightOp<Conv2D, ConvPlan, ConvScratch>;
using Int8Op = Int8WeightOp<Int8Conv2D, Int8ConvPlan, Int8ConvScratch>;

// The shapes of either.
template <typename Numbers>
class Conv2DOp : public Numbers {
 public:
  Conv2DOp(const NodeOptions& options, std::shared_ptr<OpResources> resources,
           uint8_t flags)
      : Numbers(kTexts, options, std::move(resources)),
        padding_(static_cast<uint8_t>(this->options_[1] & ~flags)) {
    if (this->options_error_.empty() && padding_ > kValidPadding) {
      this->options_error_ = "unknown padding " + std::to_string(padding_);
    }
    shape_.height.stride = this->options_[3] + 1;
    shape_.width.stride = this->options_[4] + 1;
    shape_.height.dilation = this->options_[5] + 1;
    shape_.width.dilation = this->options_[6] + 1;
  }

 protected:
  const ConvShape& shape() const { return shape_; }

 private:
  bool HasWeightsShape(const kdc_blob_info& kernel) const override {
    return kernel.rank == 4 && kernel.num_weights != 0;
  }

  Error CheckShapes(const TfLiteIntArray& dims,
                    std::vector<int>* output_shape) override {
    const int64_t filters = this->info().shape[0],
                  channels = this->info().shape[3];
    const auto misfit = [&](const std::string& why) {
      return "the input shape " + ShapeString(&dims) +
             " does not fit a kernel of shape " + this->WeightsShape() + why;
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
    shape_.height.kernel = this->info().shape[1];
    shape_.width.input = dims.data[2];
    shape_.width.kernel = this->info().shape[2];
    const bool is_valid_padding = padding_ == kValidPadding;
    if (!FillAxis(is_valid_padding, &shape_.height) ||
        !FillAxis(is_valid_padding, &shape_.width)) {
      return misfit(" without padding");
    }
    int64_t area = 1;
    for (const ConvAxis& axis : {shape_.height, shape_.width}) {
      const int64_t reach = axis.kernel * axis.dilation;
      area *= std::min(reach, kMaxArea);
      if (reach > kMaxReach || area > kMaxArea) {
        return "a kernel of shape " + this->WeightsShape() +
               " reaches too far to be fused";
      }
    }
    const int64_t height = shape_.height.output, width = shape_.width.output;
    if (!CountElements({dims.data[0], dims.data[1], dims.data[2], channels},
                       &this->num_input_elements_) ||
        !CountElements({dims.data[0], height, width, filters},
                       &this->num_output_elements_)) {
      return "the input shape " + ShapeString(&dims) + " is out of range";
    }
    *output_shape = {dims.data[0], static_cast<int>(height),
                     static_cast<int>(width), static_cast<int>(filters)};
    return "";
  }

  typename Numbers::Plan MakePlan(size_t num_rows, Isa isa,
                                  size_t num_threads) const override {
    ConvShape shape = shape_;
    shape.batch = this->PartsTogether(shape.batch);
    const size_t num_pixels =
        shape.batch *
        static_cast<size_t>(shape.height.output * shape.width.output);
    const size_t most_threads = 1 + static_cast<size_t>(this->info().num_kept) *
                                        num_pixels /
                                        kMinMultiplicationsPerThread;
    return typename Numbers::Plan(shape, num_rows,
                                  static_cast<size_t>(this->info().shape[3]),
                                  isa, std::min(num_threads, most_threads));
  }

  uint8_t padding_;
  ConvShape shape_;
};

class FloatConv2DOp : public Conv2DOp<FloatOp> {
 public:
  FloatConv2DOp(const NodeOptions& options,
                std::shared_ptr<OpResources> resources)
      : Conv2DOp(options, std::move(resources), 0) {}
};

class Int8Conv2DOp : public Conv2DOp<Int8Op> {
 public:
  Int8Conv2DOp(const NodeOptions& options,
               std::shared_ptr<OpResources> resources)
      : Conv2DOp(options, std::move(resources),
                 kInt8Flag | kPlainBiasFlag | kTwoInputsFlag) {}

 private:
  bool IsFullyConnected() const override { return false; }
  bool IsAsymmetric() const override { return has_scales(); }
  bool HasPadding() const override { return true; }
  size_t NumParts() const override { return shape().batch; }
};

}  // namespace

std::unique_ptr<Op> MakeConv2D(const NodeOptions& options,
                               std::shared_ptr<OpResources> resources) {
  if (AreInt8Options(options)) {
    return std::make_unique<Int8Conv2DOp>(options, std::move(resources));
  }
  return std::make_unique<FloatConv2DOp>(options, std::move(resources));
}

}  // namespace keras_dc
