// The runtime's own float32 poolings, AVERAGE_POOL_2D and MAX_POOL_2D, which
// the delegate takes over where they follow an op of ours: alone between two of
// them, a pooling would make another delegate wake its threads for next to
// nothing.
#include <algorithm>
#include <utility>

#include "common/return_if_error.h"
#include "kernels/activation.h"
#include "kernels/pool_2d.h"
#include "tflite/op.h"

namespace keras_dc {
namespace {

constexpr int kSamePadding = 1;
constexpr int kValidPadding = 2;
// With larger windows, products of sizes could exceed 64 bits.
constexpr int kMaxWindow = 1 << 15;

// The first fields of TfLitePoolParams, which the runtime makes of
// Pool2DOptions.
struct PoolParams {
  int padding;
  int stride_width, stride_height;
  int filter_width, filter_height;
  int activation;
};

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
         context.tensors != nullptr &&
         context.tensors[index].type == kTfLiteFloat32;
}

class Pool2DOp : public Op {
 public:
  Pool2DOp(const char* name, Pooling pooling, const PoolParams& params,
           std::shared_ptr<OpResources> resources)
      : Op(name),
        resources_(std::move(resources)),
        pooling_(pooling),
        range_(RangeOf(static_cast<Activation>(params.activation))),
        is_valid_padding_(params.padding == kValidPadding) {
    shape_.height.kernel = params.filter_height;
    shape_.height.stride = params.stride_height;
    shape_.width.kernel = params.filter_width;
    shape_.width.stride = params.stride_width;
  }

  Error Prepare(TfLiteContext* context) override {
    KDC_RETURN_IF_ERROR(CheckArity(*context, 1, 1));
    KDC_RETURN_IF_ERROR(CheckFloat32("input", *Input(context, 0)));
    KDC_RETURN_IF_ERROR(CheckFloat32("output", *Output(context)));
    KDC_RETURN_IF_ERROR(CheckWritable(*Output(context)));
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
    KDC_RETURN_IF_ERROR(ChooseMeans(*context, &isa_, &num_threads_));
    return ResizeOutput(
        context,
        {dims->data[0], static_cast<int>(shape_.height.output),
         static_cast<int>(shape_.width.output), static_cast<int>(channels_)});
  }

  Error Eval(TfLiteContext* context) override {
    if (is_unread()) return "";
    const TfLiteTensor* input = Input(context, 0);
    TfLiteTensor* output = Output(context);
    KDC_RETURN_IF_ERROR(CheckMemory("input", *input, input_bytes_));
    KDC_RETURN_IF_ERROR(CheckMemory("output", *output, output_bytes_));
    if (output_bytes_ == 0) return "";
    Pool2D(pooling_, shape_, static_cast<size_t>(channels_), range_, isa_,
           num_threads_, &resources_->threads, input->data.f, output->data.f);
    return "";
  }

 private:
  std::shared_ptr<OpResources> resources_;
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

std::unique_ptr<Op> MakePool2D(const char* name, Pooling pooling,
                               const NodeOptions& options,
                               std::shared_ptr<OpResources> resources) {
  return std::make_unique<Pool2DOp>(
      name, pooling, *static_cast<const PoolParams*>(options.builtin),
      std::move(resources));
}

}  // namespace

bool CanPool2D(const TfLiteContext& context, const TfLiteNode& node) {
  return node.builtin_data != nullptr &&
         IsInOrder(*static_cast<const PoolParams*>(node.builtin_data)) &&
         node.inputs != nullptr && node.inputs->size == 1 &&
         node.outputs != nullptr && node.outputs->size == 1 &&
         IsFloat32(context, node.inputs->data[0]) &&
         IsFloat32(context, node.outputs->data[0]);
}

std::unique_ptr<Op> MakeAveragePool2D(const NodeOptions& options,
                                      std::shared_ptr<OpResources> resources) {
  return MakePool2D("AVERAGE_POOL_2D", Pooling::kAverage, options,
                    std::move(resources));
}

std::unique_ptr<Op> MakeMaxPool2D(const NodeOptions& options,
                                  std::shared_ptr<OpResources> resources) {
  return MakePool2D("MAX_POOL_2D", Pooling::kMax, options,
                    std::move(resources));
}

}  // namespace keras_dc
