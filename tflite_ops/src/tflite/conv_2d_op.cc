// KerasDcConv2D: CONV_2D of float32 whose kernel is a blob.
//
// Inputs: input (NHWC), blob of [filters, height, width, channels] [, bias,
// float32 or a blob]. Output: output (NHWC). Options: conv_2d_options.h.
#include <algorithm>
#include <array>
#include <utility>

#include "decode/decoder.h"
#include "kernels/conv_2d.h"
#include "kernels/streamed_layers.h"
#include "tflite/bias.h"
#include "tflite/conv_2d_options.h"
#include "tflite/op.h"

namespace keras_dc {
namespace {

constexpr size_t kInput = 0;
constexpr size_t kKernel = 1;
constexpr size_t kBias = 2;

// Input pixels that one output pixel may look across.
constexpr int64_t kMaxReach = 4096;
// Of both axes multiplied: the tables of a plan grow with it.
constexpr int64_t kMaxArea = 65536;
// Multiplications below which a thread costs more than it brings.
constexpr size_t kMinMultiplicationsPerThread = 512 * 1024;

class Conv2DOp : public Op {
 public:
  Conv2DOp(const uint8_t* options, size_t options_size,
           std::shared_ptr<WeightCaches> caches)
      : Op("KerasDcConv2D"), caches_(std::move(caches)) {
    options_error_ = ParseConv2DOptions(options, options_size, &options_);
  }

  // Holds on to a kernel that is ready, so that the cache keeps it.
  void Attach(TfLiteContext* context) override {
    if (caches_->low_memory) return;
    Blob blob;
    if (!CheckArity(*context, 2, 3).empty()) return;
    if (!GetBlob(*Input(context, kKernel), &blob).empty()) return;
    kernel_ = caches_->conv_2d.Find(key_.Of(blob));
    if (kernel_ == nullptr) return;
    blob_ = blob;
    num_kept_ = kernel_->num_weights();
    std::copy_n(kernel_->shape().begin(), 4, kernel_shape_.begin());
  }

  Error Prepare(TfLiteContext* context) override {
    if (!options_error_.empty()) return options_error_;
    Error error = CheckArity(*context, 2, 3);
    if (!error.empty()) return error;
    error = CheckFloat32("input", *Input(context, kInput));
    if (!error.empty()) return error;
    error = CheckFloat32("output", *Output(context));
    if (!error.empty()) return error;

    Blob blob;
    error = GetBlob(*Input(context, kKernel), &blob);
    if (!error.empty()) return error;
    if (kernel_ == nullptr || !(blob == blob_)) {
      error = ReadShape(blob);
      if (!error.empty()) return error;
    }
    error = CheckShapes(context);
    if (!error.empty()) return error;
    size_t num_threads;
    error = ChooseMeans(*context, &isa_, &num_threads);
    if (!error.empty()) return error;
    const auto make_plan = [&](size_t filters) {
      return ConvPlan(shape_, filters, static_cast<size_t>(kernel_shape_[3]),
                      isa_, std::min(num_threads, MostThreads()));
    };
    plan_ = make_plan(filters());
    if (output_bytes_ == 0) {
      // Nothing to compute, and so no input that bounds the declared weights.
      if (!(blob == blob_)) kernel_ = nullptr;
      blob_ = blob;
    } else if (caches_->low_memory) {
      blob_ = blob;
      // Checks the blob and its streams, and keeps no weights.
      const kdc_status status =
          streamed_.Open(blob.data, blob.size, plan_.num_threads);
      if (status != KDC_OK) return BlobError(status);
      // The plan of a range.
      plan_ = make_plan(streamed_.max_rows());
    } else if (kernel_ == nullptr || !(blob == blob_) ||
               !kernel_->Fits(plan_)) {
      error = Pack(blob);
      if (!error.empty()) return error;
    }
    return ResizeOutput(context, {static_cast<int>(shape_.batch),
                                  static_cast<int>(shape_.height.output),
                                  static_cast<int>(shape_.width.output),
                                  static_cast<int>(kernel_shape_[0])});
  }

  Error Eval(TfLiteContext* context) override {
    const TfLiteTensor* input = Input(context, kInput);
    TfLiteTensor* output = Output(context);
    // Shapes of dynamic tensors can change after Prepare; the memory must fit.
    if (blob_.data == nullptr || input->bytes != input_bytes_ ||
        output->bytes != output_bytes_) {
      return "the shapes changed after AllocateTensors";
    }
    if (output_bytes_ == 0) return "";
    const float* bias = bias_.Values(Input(context, kBias));
    if (caches_->low_memory) {
      return RunLowMemory(input->data.f, bias, output->data.f);
    }
    kernel_->Run(plan_, input->data.f, bias, options_.activation,
                 &caches_->threads, &scratch_, output->data.f);
    return "";
  }

  void Detach(TfLiteContext*) override {}

 private:
  Error ReadShape(const Blob& blob) {
    kdc_blob_info info;
    const int32_t status = kdc_inspect(blob.data, blob.size, &info);
    if (status != KDC_OK) return BlobError(static_cast<kdc_status>(status));
    if (info.dtype != KDC_FLOAT32) {
      return "expected a kernel of FLOAT32, the blob holds " +
             TypeName(TfLiteTypeOf(info.dtype));
    }
    const bool is_empty =
        std::count(info.shape, info.shape + info.rank, int64_t{0}) > 0;
    if (info.rank != 4 || is_empty) {
      return "expected a kernel of shape [filters, height, width, channels], "
             "the blob holds " +
             ShapeString(info.shape, static_cast<size_t>(info.rank));
    }
    std::copy_n(info.shape, 4, kernel_shape_.begin());
    num_kept_ = static_cast<size_t>(info.num_kept);
    return "";
  }

  size_t filters() const { return static_cast<size_t>(kernel_shape_[0]); }

  // To be called after CheckShapes.
  size_t MostThreads() const {
    const size_t num_pixels = output_bytes_ / sizeof(float) / filters();
    return 1 + num_kept_ * num_pixels / kMinMultiplicationsPerThread;
  }

  Error CheckShapes(TfLiteContext* context) {
    const TfLiteIntArray* dims = Input(context, kInput)->dims;
    const std::string kernel = ShapeString(kernel_shape_.data(), 4);
    const auto misfit = [&](const std::string& why) {
      return "the input shape " + ShapeString(dims) +
             " does not fit a kernel of shape " + kernel + why;
    };
    if (dims->size != 4 ||
        std::any_of(dims->data, dims->data + 4, [](int d) { return d < 0; })) {
      return misfit("");
    }
    if (dims->data[3] != kernel_shape_[3]) {
      const bool is_grouped = dims->data[3] % kernel_shape_[3] == 0;
      return misfit(is_grouped ? ": grouped convolution is not fused" : "");
    }
    shape_.batch = static_cast<size_t>(dims->data[0]);
    shape_.height = options_.height;
    shape_.height.input = dims->data[1];
    shape_.height.kernel = kernel_shape_[1];
    shape_.width = options_.width;
    shape_.width.input = dims->data[2];
    shape_.width.kernel = kernel_shape_[2];
    if (!FillAxis(options_.is_valid_padding, &shape_.height) ||
        !FillAxis(options_.is_valid_padding, &shape_.width)) {
      return misfit(" without padding");
    }
    int64_t area = 1;
    for (const ConvAxis& axis : {shape_.height, shape_.width}) {
      const int64_t reach = axis.kernel * axis.dilation;
      area *= std::min(reach, kMaxArea);
      if (reach > kMaxReach || area > kMaxArea) {
        return "a kernel of shape " + kernel + " reaches too far to be fused";
      }
    }
    if (!CountFloatBytes(
            {dims->data[0], dims->data[1], dims->data[2], kernel_shape_[3]},
            &input_bytes_) ||
        !CountFloatBytes({dims->data[0], shape_.height.output,
                          shape_.width.output, kernel_shape_[0]},
                         &output_bytes_)) {
      return "the input shape " + ShapeString(dims) + " is out of range";
    }
    const Error error =
        bias_.Prepare(Input(context, kBias), kernel_shape_[0], kernel);
    if (!error.empty()) return error;
    return CheckOutputChannels(context, kernel_shape_[0]);
  }

  // To be called after CheckShapes: the shape bounds what is allocated here.
  Error Pack(const Blob& blob) {
    const BlobKey key = key_.Of(blob);
    kernel_ = caches_->conv_2d.FindIf(
        key, [this](const Conv2D& held) { return held.Fits(plan_); });
    if (kernel_ == nullptr) {
      blob_ = blob;
      auto kernel = std::make_shared<Conv2D>();
      const Error error = Unpack(kernel.get());
      if (!error.empty()) return error;
      kernel_ = std::move(kernel);
      caches_->conv_2d.Insert(key, kernel_);
    }
    blob_ = blob;
    return "";
  }

  Error RunLowMemory(const float* input, const float* bias, float* output) {
    const kdc_status status =
        RunStreamed(streamed_, plan_, filters(), input, bias,
                    options_.activation, &caches_->threads, output);
    return status == KDC_OK ? "" : BlobError(status);
  }

  Error Unpack(Conv2D* kernel) const {
    SparseRows sparse;
    kdc_status status = DecodeSparse(blob_.data, blob_.size, &sparse);
    if (status == KDC_OK) status = Conv2D::Pack(sparse, plan_, kernel);
    return status == KDC_OK ? "" : BlobError(status);
  }

  std::shared_ptr<WeightCaches> caches_;
  Conv2DOptions options_;
  Error options_error_;
  std::shared_ptr<const Conv2D> kernel_;
  Blob blob_;
  KeyMemo key_;
  Bias bias_;
  std::array<int64_t, 4> kernel_shape_ = {};
  size_t num_kept_ = 0;
  ConvShape shape_;
  Isa isa_ = Isa::kPortable;
  ConvPlan plan_;
  StreamedWeights streamed_;
  size_t input_bytes_ = 0;
  size_t output_bytes_ = 0;
  ConvScratch scratch_;
};

}  // namespace

std::unique_ptr<Op> MakeConv2D(const uint8_t* options, size_t options_size,
                               std::shared_ptr<WeightCaches> caches) {
  return std::make_unique<Conv2DOp>(options, options_size, std::move(caches));
}

}  // namespace keras_dc
