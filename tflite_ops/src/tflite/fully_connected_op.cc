// KerasDcFullyConnected: FULLY_CONNECTED of float32 whose weights are a blob.
//
// Inputs: input, blob [, bias, float32 or a blob]. Output: output. Custom
// options, each a byte, a missing one being 0: fused activation, flags, version
// of the operator that was replaced.
#include <algorithm>
#include <climits>
#include <utility>

#include "decode/decoder.h"
#include "kernels/fully_connected.h"
#include "kernels/streamed_layers.h"
#include "tflite/bias.h"
#include "tflite/op.h"

namespace keras_dc {
namespace {

constexpr size_t kInput = 0;
constexpr size_t kWeights = 1;
constexpr size_t kBias = 2;

constexpr size_t kMaxOptionBytes = 8;
constexpr uint8_t kKeepNumDimsFlag = 1;

struct Options {
  Activation activation = Activation::kNone;
  bool keep_num_dims = false;
};

Error ParseOptions(const uint8_t* bytes, size_t size, Options* options) {
  if (size > kMaxOptionBytes) {
    return "expected at most " + std::to_string(kMaxOptionBytes) +
           " bytes of custom options, got " + std::to_string(size);
  }
  if (size > 0) {
    if (bytes[0] >= kNumActivations) {
      return "unknown fused activation " + std::to_string(bytes[0]);
    }
    options->activation = static_cast<Activation>(bytes[0]);
  }
  if (size > 1) options->keep_num_dims = (bytes[1] & kKeepNumDimsFlag) != 0;
  return "";
}

class FullyConnectedOp : public Op {
 public:
  FullyConnectedOp(const uint8_t* options, size_t options_size,
                   std::shared_ptr<WeightCaches> caches)
      : Op("KerasDcFullyConnected"), caches_(std::move(caches)) {
    options_error_ = ParseOptions(options, options_size, &options_);
  }

  // Holds on to weights that are ready, so that the cache keeps them.
  void Attach(TfLiteContext* context) override {
    if (caches_->low_memory) return;
    Blob blob;
    if (!CheckArity(*context, 2, 3).empty()) return;
    if (!GetBlob(*Input(context, kWeights), &blob).empty()) return;
    weights_ = caches_->fully_connected.Find(key_.Of(blob));
    if (weights_ != nullptr) blob_ = blob;
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
    error = GetBlob(*Input(context, kWeights), &blob);
    if (!error.empty()) return error;
    const bool is_packed = weights_ != nullptr && blob == blob_;
    if (is_packed) {
      units_ = static_cast<int64_t>(weights_->num_rows());
      input_size_ = static_cast<int64_t>(weights_->num_columns());
    } else {
      error = ReadShape(blob, &units_, &input_size_);
      if (!error.empty()) return error;
    }
    std::vector<int> output_shape;
    error = CheckShapes(context, units_, input_size_, &output_shape);
    if (!error.empty()) return error;
    Isa isa;
    size_t num_threads;
    error = ChooseMeans(*context, &isa, &num_threads);
    if (!error.empty()) return error;
    plan_ = FullyConnectedPlan(static_cast<size_t>(units_),
                               static_cast<size_t>(input_size_), batch_, isa,
                               num_threads);
    if (batch_ == 0) {
      // Nothing to compute, and so no input that bounds the declared weights.
      if (!is_packed) weights_ = nullptr;
      blob_ = blob;
    } else if (caches_->low_memory) {
      error = Open(blob);
      if (!error.empty()) return error;
    } else if (!is_packed || !weights_->Fits(plan_)) {
      error = Pack(blob);
      if (!error.empty()) return error;
    }
    return ResizeOutput(context, output_shape);
  }

  Error Eval(TfLiteContext* context) override {
    const TfLiteTensor* input = Input(context, kInput);
    TfLiteTensor* output = Output(context);
    // Shapes of dynamic tensors can change after Prepare; the memory must fit.
    if (blob_.data == nullptr ||
        input->bytes !=
            batch_ * static_cast<size_t>(input_size_) * sizeof(float) ||
        output->bytes != batch_ * static_cast<size_t>(units_) * sizeof(float)) {
      return "the shapes changed after AllocateTensors";
    }
    if (batch_ == 0) return "";
    const float* bias = bias_.Values(Input(context, kBias));
    if (!caches_->low_memory) {
      weights_->Run(plan_, input->data.f, bias, options_.activation,
                    &caches_->threads, &scratch_, output->data.f);
      return "";
    }
    return RunLowMemory(input->data.f, bias, output->data.f);
  }

  void Detach(TfLiteContext*) override {}

 private:
  static Error ReadShape(const Blob& blob, int64_t* units,
                         int64_t* input_size) {
    kdc_blob_info info;
    const int32_t status = kdc_inspect(blob.data, blob.size, &info);
    if (status != KDC_OK) return BlobError(static_cast<kdc_status>(status));
    if (info.dtype != KDC_FLOAT32) {
      return "expected weights of FLOAT32, the blob holds " +
             TypeName(TfLiteTypeOf(info.dtype));
    }
    if (info.rank != 2 || info.shape[0] > INT_MAX || info.shape[1] > INT_MAX ||
        info.shape[1] == 0) {
      return "expected weights of shape [units, input_size], the blob holds " +
             ShapeString(info.shape, static_cast<size_t>(info.rank));
    }
    *units = info.shape[0];
    *input_size = info.shape[1];
    return "";
  }

  // Does what TFLite's FULLY_CONNECTED does with shapes.
  Error CheckShapes(TfLiteContext* context, int64_t units, int64_t input_size,
                    std::vector<int>* output_shape) {
    const TfLiteIntArray* dims = Input(context, kInput)->dims;
    const std::string weights =
        "[" + std::to_string(units) + ", " + std::to_string(input_size) + "]";
    int64_t num_elements = 1;
    for (int i = 0; i < dims->size; ++i) {
      if (dims->data[i] < 0 ||
          (dims->data[i] > 0 && num_elements > INT_MAX / dims->data[i])) {
        return "the input shape " + ShapeString(dims) + " is out of range";
      }
      num_elements *= dims->data[i];
    }
    const bool fits =
        options_.keep_num_dims
            ? dims->size > 0 && dims->data[dims->size - 1] == input_size
            : num_elements % input_size == 0;
    if (!fits) {
      return "the input shape " + ShapeString(dims) +
             " does not fit weights of shape " + weights;
    }
    Error error = bias_.Prepare(Input(context, kBias), units, weights);
    if (!error.empty()) return error;
    error = CheckOutputChannels(context, units);
    if (!error.empty()) return error;
    batch_ = static_cast<size_t>(num_elements / input_size);
    if (options_.keep_num_dims) {
      output_shape->assign(dims->data, dims->data + dims->size);
      output_shape->back() = static_cast<int>(units);
    } else {
      *output_shape = {static_cast<int>(batch_), static_cast<int>(units)};
    }
    return "";
  }

  // To be called after CheckShapes: the shape bounds what is allocated here.
  Error Pack(const Blob& blob) {
    const BlobKey key = key_.Of(blob);
    weights_ = caches_->fully_connected.FindIf(
        key, [this](const FullyConnected& held) { return held.Fits(plan_); });
    if (weights_ == nullptr) {
      SparseRows sparse;
      kdc_status status = DecodeSparse(blob.data, blob.size, &sparse);
      if (status != KDC_OK) return BlobError(status);
      auto weights = std::make_shared<FullyConnected>();
      status = FullyConnected::Pack(std::move(sparse), plan_, weights.get());
      if (status != KDC_OK) return BlobError(status);
      weights_ = std::move(weights);
      caches_->fully_connected.Insert(key, weights_);
    }
    blob_ = blob;
    return "";
  }

  // For low memory: checks the blob and its streams, and keeps no weights.
  Error Open(const Blob& blob) {
    blob_ = blob;
    const kdc_status status =
        streamed_.Open(blob.data, blob.size, plan_.num_threads);
    if (status != KDC_OK) return BlobError(status);
    // The plan of a range.
    plan_ = FullyConnectedPlan(streamed_.max_rows(),
                               static_cast<size_t>(input_size_), batch_,
                               plan_.isa, plan_.num_threads);
    return "";
  }

  Error RunLowMemory(const float* input, const float* bias, float* output) {
    const kdc_status status =
        RunStreamed(streamed_, plan_, static_cast<size_t>(units_),
                    static_cast<size_t>(input_size_), input, bias,
                    options_.activation, &caches_->threads, output);
    return status == KDC_OK ? "" : BlobError(status);
  }

  std::shared_ptr<WeightCaches> caches_;
  Options options_;
  Error options_error_;
  std::shared_ptr<const FullyConnected> weights_;
  Blob blob_;
  KeyMemo key_;
  Bias bias_;
  StreamedWeights streamed_;
  int64_t units_ = 0;
  int64_t input_size_ = 0;
  size_t batch_ = 0;
  FullyConnectedPlan plan_;
  FullyConnectedScratch scratch_;
};

}  // namespace

std::unique_ptr<Op> MakeFullyConnected(const uint8_t* options,
                                       size_t options_size,
                                       std::shared_ptr<WeightCaches> caches) {
  return std::make_unique<FullyConnectedOp>(options, options_size,
                                            std::move(caches));
}

}  // namespace keras_dc
