// What ops share whose weights are a blob: inputs, checks, the cache of packed
// weights, and the low-memory mode. A layer of this way adds its numbers,
// float_weight_op.h or int8_weight_op.h, and an op its shapes and its plan.
//
// Inputs: input, blob of weights [, bias [, scales]]. Output: output. A byte of
// the custom options is the place of the op's first blob in a bundle; where
// several are in one, they follow one another in the order of the inputs.
#ifndef KERAS_DC_SRC_TFLITE_WEIGHT_OP_H_
#define KERAS_DC_SRC_TFLITE_WEIGHT_OP_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/return_if_error.h"
#include "decode/decoder.h"
#include "kernels/activation.h"
#include "kernels/streamed_layers.h"
#include "tflite/bundle.h"
#include "tflite/op.h"

namespace keras_dc {

// How an op is called and laid out.
struct OpTexts {
  const char* name;
  // What errors call the weights, and their dimensions.
  const char* role;
  const char* layout;
  // The byte of the custom options that is the place in a bundle.
  size_t place_option;
  size_t max_option_bytes;
};

// A `Layer` packs weights and computes, as a `Plan` for one input shape says;
// between runs it keeps memory in a `Scratch` (see kernels/README.md).
template <typename LayerType, typename PlanType, typename ScratchType>
class WeightOp : public Op {
 public:
  using Layer = LayerType;
  using Plan = PlanType;
  using Scratch = ScratchType;

  // Holds weights that are in the cache, so that it keeps them.
  void Attach(TfLiteContext* context) override {
    Blob blob;
    if (low_memory_ || !CheckArity(*context, 2, max_inputs_).empty() ||
        !GetBlobAt(*Input(context, kWeights), place(), &blob).empty()) {
      return;
    }
    weights_ = resources_->cache.Find<Packed>(key_.Of(blob));
    if (weights_ != nullptr) packed_blob_ = blob;
  }

  Error Prepare(TfLiteContext* context) override {
    // Until this Prepare is through, there is nothing that Eval could use.
    blob_ = Blob();
    KDC_RETURN_IF_ERROR(options_error_);
    KDC_RETURN_IF_ERROR(CheckArity(*context, 2, max_inputs_));
    KDC_RETURN_IF_ERROR(CheckTypes(*Input(context, kInput), *Output(context)));
    KDC_RETURN_IF_ERROR(CheckWritable(*Output(context)));
    Blob blob;
    const TfLiteTensor& weights = *Input(context, kWeights);
    KDC_RETURN_IF_ERROR(GetBlobAt(weights, place(), &blob));
    const bool is_ready = weights_ != nullptr && blob == packed_blob_;
    ParsedBlob parsed;
    if (is_ready) {
      info_ = weights_->info;
    } else {
      KDC_RETURN_IF_ERROR(ReadWeights(blob, &parsed));
      info_ = parsed.info;
    }
    std::vector<int> output_shape;
    KDC_RETURN_IF_ERROR(
        CheckShapes(*Input(context, kInput)->dims, &output_shape));
    KDC_RETURN_IF_ERROR(PrepareNumbers(context));
    KDC_RETURN_IF_ERROR(CheckOutputChannels(context, num_outputs()));
    Isa isa = Isa::kPortable;
    size_t num_threads = 1;
    KDC_RETURN_IF_ERROR(ChooseMeans(*context, &isa, &num_threads));
    plan_ = MakePlan(static_cast<size_t>(num_outputs()), isa, num_threads);
    // From here on the shapes bound what is allocated.
    if (num_output_elements_ == 0 || is_unread()) {
      // Nothing to compute; without outputs no input bounds the declared
      // weights, either.
      if (!is_ready) weights_ = nullptr;
    } else if (low_memory_) {
      // Checks the streams, and keeps no weights.
      KDC_RETURN_IF_ERROR(
          BlobError(streamed_.Open(std::move(parsed), plan_.num_threads)));
      // The plan of a range.
      plan_ = MakePlan(streamed_.max_rows(), isa, num_threads);
    } else if (!is_ready || !weights_->layer.Fits(plan_)) {
      KDC_RETURN_IF_ERROR(Pack(blob, is_ready ? nullptr : &parsed));
    }
    blob_ = blob;
    return ResizeOutput(context, output_shape);
  }

  Error Eval(TfLiteContext* context) override {
    if (blob_.data == nullptr) return "Invoke comes after AllocateTensors";
    if (is_unread()) return "";
    const TfLiteTensor* input = Input(context, kInput);
    TfLiteTensor* output = Output(context);
    KDC_RETURN_IF_ERROR(
        CheckMemory("input", *input, num_input_elements_ * ItemSize(*input)));
    KDC_RETURN_IF_ERROR(CheckMemory("output", *output,
                                    num_output_elements_ * ItemSize(*output)));
    if (num_output_elements_ == 0) return "";
    return Compute(context, *input, output);
  }

 protected:
  static constexpr size_t kInput = 0, kWeights = 1, kBias = 2, kScales = 3;

  // The first byte of the custom options is the fused activation; a missing
  // byte is 0. The blob must hold weights of `dtype`; float16 will do for
  // float32.
  WeightOp(const OpTexts& texts, const NodeOptions& options, size_t max_inputs,
           kdc_dtype dtype, std::shared_ptr<OpResources> resources)
      : Op(texts.name),
        texts_(texts),
        max_inputs_(max_inputs),
        dtype_(dtype),
        low_memory_(options.low_memory),
        resources_(std::move(resources)) {
    if (options.custom_size > texts.max_option_bytes) {
      options_error_ = "expected at most " +
                       std::to_string(texts.max_option_bytes) +
                       " bytes of custom options, got " +
                       std::to_string(options.custom_size);
      return;
    }
    std::copy_n(options.custom, options.custom_size, options_.begin());
    if (options_[0] >= kNumActivations) {
      options_error_ =
          "unknown fused activation " + std::to_string(options_[0]);
    }
  }

  // Checks the types of the input and of the output.
  virtual Error CheckTypes(const TfLiteTensor& input,
                           const TfLiteTensor& output) = 0;
  // Prepares what is computed with beside the weights, whose info() is known.
  virtual Error PrepareNumbers(TfLiteContext* context) = 0;
  // Computes the output, which has elements.
  virtual Error Compute(TfLiteContext* context, const TfLiteTensor& input,
                        TfLiteTensor* output) = 0;

  // Whether `info`, which holds the dtype, has a shape that the op can take.
  virtual bool HasWeightsShape(const kdc_blob_info& info) const = 0;
  // Checks that an input of shape `dims` fits the weights. Sets
  // `num_input_elements_`, `num_output_elements_` and the shape of the output.
  virtual Error CheckShapes(const TfLiteIntArray& dims,
                            std::vector<int>* output_shape) = 0;
  // The plan for `num_rows` rows of the weights. To be called after
  // CheckShapes.
  virtual Plan MakePlan(size_t num_rows, Isa isa, size_t num_threads) const = 0;

  // Shape and counts of the weights.
  const kdc_blob_info& info() const { return info_; }
  std::string WeightsShape() const {
    return ShapeString(info_.shape, static_cast<size_t>(info_.rank));
  }

  size_t place() const { return options_[texts_.place_option]; }
  Activation activation() const { return static_cast<Activation>(options_[0]); }
  // Units or filters.
  int64_t num_outputs() const { return info_.shape[0]; }
  OpResources* resources() const { return resources_.get(); }
  const Plan& plan() const { return plan_; }
  bool has_low_memory() const { return low_memory_; }
  const StreamedWeights& streamed() const { return streamed_; }
  const Layer& layer() const { return weights_->layer; }
  Scratch* scratch() { return &scratch_; }

  Error options_error_;
  std::array<uint8_t, 8> options_ = {};
  size_t num_input_elements_ = 0;
  size_t num_output_elements_ = 0;

 private:
  // What the cache holds.
  struct Packed {
    kdc_blob_info info;
    Layer layer;
  };

  static size_t ItemSize(const TfLiteTensor& tensor) {
    return tensor.type == kTfLiteInt8 ? sizeof(int8_t) : sizeof(float);
  }

  Error ReadWeights(const Blob& blob, ParsedBlob* parsed) const {
    KDC_RETURN_IF_ERROR(BlobError(ReadBlob(blob.data, blob.size, parsed)));
    if (dtype_ == KDC_FLOAT32) parsed->WidenFloat16();
    const kdc_blob_info& read = parsed->info;
    const std::string expected =
        std::string("expected ") + texts_.role + " of ";
    if (read.dtype != dtype_) {
      return expected + TypeName(TfLiteTypeOf(dtype_)) + ", the blob holds " +
             TypeName(TfLiteTypeOf(read.dtype));
    }
    if (!HasWeightsShape(read)) {
      return expected + "shape " + texts_.layout + ", the blob holds " +
             ShapeString(read.shape, static_cast<size_t>(read.rank));
    }
    return "";
  }

  // `parsed` is null if the blob is still to be read.
  Error Pack(const Blob& blob, const ParsedBlob* parsed) {
    const BlobKey& key = key_.Of(blob);
    const auto fits = [this](const Packed& held) {
      return held.layer.Fits(plan_);
    };
    weights_ = resources_->cache.FindIf<Packed>(key, fits);
    packed_blob_ = blob;
    if (weights_ != nullptr) return "";
    ParsedBlob read;
    if (parsed == nullptr) {
      KDC_RETURN_IF_ERROR(ReadWeights(blob, &read));
      parsed = &read;
    }
    SparseRows rows;
    KDC_RETURN_IF_ERROR(
        BlobError(DecodeSparse(*parsed, plan_.num_threads, &rows)));
    auto packed = std::make_shared<Packed>();
    packed->info = info_;
    KDC_RETURN_IF_ERROR(
        BlobError(Layer::Pack(std::move(rows), plan_, &packed->layer)));
    weights_ = resources_->cache.Insert<Packed>(key, std::move(packed), fits);
    return "";
  }

  OpTexts texts_;
  size_t max_inputs_;
  kdc_dtype dtype_;
  bool low_memory_;
  std::shared_ptr<OpResources> resources_;
  // Of the last Prepare, if it ended well.
  Blob blob_;
  // Of `weights_`.
  Blob packed_blob_;
  kdc_blob_info info_ = {};
  KeyMemo key_;
  Plan plan_;
  std::shared_ptr<const Packed> weights_;
  StreamedWeights streamed_;
  Scratch scratch_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_WEIGHT_OP_H_
