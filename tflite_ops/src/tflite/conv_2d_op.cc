// KerasDcConv2D: CONV_2D of float32 whose kernel is a blob.
//
// Inputs: input (NHWC), blob of [filters, height, width, channels] [, bias,
// float32 or a blob]. Output: output (NHWC). Custom options, each a byte, a
// missing one being 0: fused activation, padding (0 SAME, 1 VALID), version of
// the operator that was replaced less 1, then less 1 too: vertical stride,
// horizontal stride, vertical dilation, horizontal dilation.
#include <algorithm>
#include <array>
#include <climits>
#include <utility>

#include "decoder.h"
#include "kernels/conv_2d.h"
#include "tflite/bias.h"
#include "tflite/op.h"

namespace keras_dc {
namespace {

constexpr size_t kInput = 0;
constexpr size_t kKernel = 1;
constexpr size_t kBias = 2;

constexpr size_t kNumOptionBytes = 7;
// Input pixels that one output pixel may look across.
constexpr int64_t kMaxReach = 4096;
constexpr uint8_t kSamePadding = 0;
constexpr uint8_t kValidPadding = 1;

struct Options {
  Activation activation = Activation::kNone;
  uint8_t padding = kSamePadding;
  ConvAxis height;  // stride and dilation only
  ConvAxis width;
};

Error ParseOptions(const uint8_t* bytes, size_t size, Options* options) {
  if (size > kNumOptionBytes) {
    return "expected at most " + std::to_string(kNumOptionBytes) +
           " bytes of custom options, got " + std::to_string(size);
  }
  std::array<uint8_t, kNumOptionBytes> all = {};
  std::copy_n(bytes, size, all.begin());
  if (all[0] >= kNumActivations) {
    return "unknown fused activation " + std::to_string(all[0]);
  }
  if (all[1] > kValidPadding) {
    return "unknown padding " + std::to_string(all[1]);
  }
  options->activation = static_cast<Activation>(all[0]);
  options->padding = all[1];
  options->height.stride = all[3] + 1;
  options->width.stride = all[4] + 1;
  options->height.dilation = all[5] + 1;
  options->width.dilation = all[6] + 1;
  return "";
}

// Output size and padding as TFLite computes them; false if the output would be
// empty though the input is not, or negative.
bool FillAxis(uint8_t padding, ConvAxis* axis) {
  const int64_t reach = (axis->kernel - 1) * axis->dilation + 1;
  if (padding == kValidPadding) {
    if (axis->input < reach) return false;
    axis->output = (axis->input - reach) / axis->stride + 1;
    axis->padding = 0;
    return true;
  }
  axis->output = (axis->input + axis->stride - 1) / axis->stride;
  const int64_t missing =
      (axis->output - 1) * axis->stride + reach - axis->input;
  axis->padding = std::max<int64_t>(missing, 0) / 2;
  return true;
}

class Conv2DOp : public Op {
 public:
  Conv2DOp(const uint8_t* options, size_t options_size,
           std::shared_ptr<WeightCaches> caches)
      : Op("KerasDcConv2D"), caches_(std::move(caches)) {
    options_error_ = ParseOptions(options, options_size, &options_);
  }

  // Holds on to a kernel that is ready, so that the cache keeps it.
  void Attach(TfLiteContext* context) override {
    Blob blob;
    if (!CheckArity(*context, 2, 3).empty()) return;
    if (!GetBlob(*Input(context, kKernel), &blob).empty()) return;
    kernel_ = caches_->conv_2d.Find(KeyOf(blob));
    if (kernel_ == nullptr) return;
    blob_ = blob;
    for (size_t i = 0; i < kernel_shape_.size(); ++i) {
      kernel_shape_[i] = kernel_->shape()[i];
    }
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
    Isa isa;
    size_t num_threads;
    error = ChooseMeans(*context, &isa, &num_threads);
    if (!error.empty()) return error;
    plan_ = ConvPlan(shape_, static_cast<size_t>(kernel_shape_[0]),
                     static_cast<size_t>(kernel_shape_[3]), isa, num_threads);
    if (output_bytes_ == 0) {
      // Nothing to compute, and so no input that bounds the declared weights.
      if (!(blob == blob_)) kernel_ = nullptr;
      blob_ = blob;
    } else if (caches_->low_memory) {
      // Decoded to see whether it can be, and dropped.
      blob_ = blob;
      Conv2D kernel;
      error = Unpack(&kernel);
      if (!error.empty()) return error;
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
    const Conv2D* kernel = kernel_.get();
    Conv2D unpacked;
    if (caches_->low_memory) {
      const Error error = Unpack(&unpacked);
      if (!error.empty()) return error;
      kernel = &unpacked;
    }
    kernel->Run(plan_, input->data.f, bias_.Values(Input(context, kBias)),
                options_.activation, &caches_->threads, &scratch_,
                output->data.f);
    if (caches_->low_memory) scratch_ = {};
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
    return "";
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
    if (!FillAxis(options_.padding, &shape_.height) ||
        !FillAxis(options_.padding, &shape_.width)) {
      return misfit(" without padding");
    }
    for (const ConvAxis& axis : {shape_.height, shape_.width}) {
      if (axis.kernel * axis.dilation > kMaxReach) {
        return "a kernel of shape " + kernel + " reaches too far to be fused";
      }
    }
    if (!CountBytes(
            {dims->data[0], dims->data[1], dims->data[2], kernel_shape_[3]},
            &input_bytes_) ||
        !CountBytes({dims->data[0], shape_.height.output, shape_.width.output,
                     kernel_shape_[0]},
                    &output_bytes_)) {
      return "the input shape " + ShapeString(dims) + " is out of range";
    }
    const Error error =
        bias_.Prepare(Input(context, kBias), kernel_shape_[0], kernel);
    if (!error.empty()) return error;
    return CheckOutputChannels(context, kernel_shape_[0]);
  }

  static bool CountBytes(const std::array<int64_t, 4>& dims, size_t* bytes) {
    int64_t count = 1;
    for (const int64_t dim : dims) {
      if (dim > INT_MAX || (dim > 0 && count > INT_MAX / dim)) return false;
      count *= dim;
    }
    *bytes = static_cast<size_t>(count) * sizeof(float);
    return true;
  }

  // To be called after CheckShapes: the shape bounds what is allocated here.
  Error Pack(const Blob& blob) {
    const BlobKey key = KeyOf(blob);
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

  Error Unpack(Conv2D* kernel) const {
    SparseTensor sparse;
    kdc_status status = DecodeSparse(blob_.data, blob_.size, &sparse);
    if (status == KDC_OK) status = Conv2D::Pack(sparse, plan_, kernel);
    return status == KDC_OK ? "" : BlobError(status);
  }

  std::shared_ptr<WeightCaches> caches_;
  Options options_;
  Error options_error_;
  std::shared_ptr<const Conv2D> kernel_;
  Blob blob_;
  Bias bias_;
  std::array<int64_t, 4> kernel_shape_ = {};
  ConvShape shape_;
  ConvPlan plan_;
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
