#include "tflite/pool_2d_op.h"

#include <algorithm>
#include <utility>

#include "kernels/activation.h"
#include "kernels/pool_2d.h"
#include "tflite/conv_2d_options.h"

namespace keras_dc {
namespace {

constexpr int kAveragePool2DCode = 1;
constexpr int kMaxPool2DCode = 17;
constexpr int kSamePadding = 1;
constexpr int kValidPadding = 2;
// Beyond, products of sizes could leave 64 bits.
constexpr int kMaxWindow = 1 << 15;

// What the runtime makes of Pool2DOptions: TfLitePoolParams, of which the first
// fields are all that is read.
struct PoolParams {
  int padding;
  int stride_width, stride_height;
  int filter_width, filter_height;
  int activation;
};

const PoolParams& ParamsOf(const TfLiteNode& node) {
  return *static_cast<const PoolParams*>(node.builtin_data);
}

bool IsInOrder(const PoolParams& params) {
  for (const int size : {params.stride_width, params.stride_height,
                         params.filter_width, params.filter_height}) {
    if (size < 1 || size > kMaxWindow) return false;
  }
  return (params.padding == kSamePadding || params.padding == kValidPadding) &&
         params.activation >= 0 &&
         params.activation < static_cast<int>(Activation::kTanh);
}

bool IsFloat32(const TfLiteContext& context, int index) {
  return index >= 0 && static_cast<size_t>(index) < context.tensors_size &&
         context.tensors[index].type == kTfLiteFloat32;
}

class Pool2DOp : public Op {
 public:
  Pool2DOp(const char* name, Pooling pooling, const PoolParams& params,
           std::shared_ptr<WeightCaches> caches)
      : Op(name),
        caches_(std::move(caches)),
        pooling_(pooling),
        range_(RangeOf(static_cast<Activation>(params.activation))),
        is_valid_padding_(params.padding == kValidPadding) {
    shape_.height.kernel = params.filter_height;
    shape_.height.stride = params.stride_height;
    shape_.width.kernel = params.filter_width;
    shape_.width.stride = params.stride_width;
  }

  void Attach(TfLiteContext*) override {}

  Error Prepare(TfLiteContext* context) override {
    Error error = CheckArity(*context, 1, 1);
    if (!error.empty()) return error;
    error = CheckFloat32("input", *Input(context, 0));
    if (!error.empty()) return error;
    error = CheckFloat32("output", *Output(context));
    if (!error.empty()) return error;
    const TfLiteIntArray* dims = Input(context, 0)->dims;
    if (dims->size != 4 ||
        std::any_of(dims->data, dims->data + 4, [](int d) { return d < 0; })) {
      return "expected an input of 4 dimensions, got " + ShapeString(dims);
    }
    shape_.batch = static_cast<size_t>(dims->data[0]);
    shape_.height.input = dims->data[1];
    shape_.width.input = dims->data[2];
    channels_ = dims->data[3];
    if (!FillAxis(is_valid_padding_, &shape_.height) ||
        !FillAxis(is_valid_padding_, &shape_.width)) {
      return "the input shape " + ShapeString(dims) +
             " is smaller than the window";
    }
    if (!CountFloatBytes(
            {dims->data[0], dims->data[1], dims->data[2], channels_},
            &input_bytes_) ||
        !CountFloatBytes({dims->data[0], shape_.height.output,
                          shape_.width.output, channels_},
                         &output_bytes_)) {
      return "the input shape " + ShapeString(dims) + " is out of range";
    }
    error = ChooseMeans(*context, &isa_, &num_threads_);
    if (!error.empty()) return error;
    return ResizeOutput(
        context,
        {dims->data[0], static_cast<int>(shape_.height.output),
         static_cast<int>(shape_.width.output), static_cast<int>(channels_)});
  }

  Error Eval(TfLiteContext* context) override {
    const TfLiteTensor* input = Input(context, 0);
    TfLiteTensor* output = Output(context);
    // Shapes of dynamic tensors can change after Prepare; the memory must fit.
    if (input->bytes != input_bytes_ || output->bytes != output_bytes_) {
      return "the shapes changed after AllocateTensors";
    }
    if (output_bytes_ == 0) return "";
    Pool2D(pooling_, shape_, static_cast<size_t>(channels_), range_, isa_,
           num_threads_, &caches_->threads, input->data.f, output->data.f);
    return "";
  }

  void Detach(TfLiteContext*) override {}

 private:
  std::shared_ptr<WeightCaches> caches_;
  Pooling pooling_;
  OutputRange range_;
  bool is_valid_padding_;
  ConvShape shape_;
  int64_t channels_ = 0;
  Isa isa_ = Isa::kPortable;
  size_t num_threads_ = 1;
  size_t input_bytes_ = 0;
  size_t output_bytes_ = 0;
};

}  // namespace

const char* FindPool2DName(const TfLiteContext& context, const TfLiteNode& node,
                           const TfLiteRegistration& registration) {
  const bool is_max = registration.builtin_code == kMaxPool2DCode;
  if (!is_max && registration.builtin_code != kAveragePool2DCode) {
    return nullptr;
  }
  if (node.builtin_data == nullptr || !IsInOrder(ParamsOf(node)) ||
      node.inputs->size != 1 || node.outputs->size != 1 ||
      !IsFloat32(context, node.inputs->data[0]) ||
      !IsFloat32(context, node.outputs->data[0])) {
    return nullptr;
  }
  return is_max ? "KerasDcMaxPool2D" : "KerasDcAveragePool2D";
}

std::unique_ptr<Op> MakePool2D(const TfLiteNode& node,
                               const TfLiteRegistration& registration,
                               std::shared_ptr<WeightCaches> caches) {
  const bool is_max = registration.builtin_code == kMaxPool2DCode;
  return std::make_unique<Pool2DOp>(is_max ? "MAX_POOL_2D" : "AVERAGE_POOL_2D",
                                    is_max ? Pooling::kMax : Pooling::kAverage,
                                    ParamsOf(node), std::move(caches));
}

}  // namespace keras_dc
