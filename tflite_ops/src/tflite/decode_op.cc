// KerasDcDecode: makes a blob a weight tensor for an op of the runtime.
//
// The output becomes a constant (kTfLiteMmapRo) in our memory. Whoever looks at
// the graph afterwards, XNNPACK above all, sees the model as it was before it
// was compressed, and computes the same bits at the same speed.
#include <utility>

#include "common/format.h"
#include "decode/decoder.h"
#include "tflite/op.h"

namespace keras_dc {
namespace {

// TFLite keeps two 4-bit values in a byte, the first one low. Returns the
// packed size; the memory is used again.
size_t PackInt4(uint8_t* values, size_t count) {
  for (size_t i = 0; i < count; i += 2) {
    const uint8_t high = i + 1 < count ? values[i + 1] : 0;
    values[i / 2] = static_cast<uint8_t>((values[i] & 0xf) | high << 4);
  }
  return (count + 1) / 2;
}

class DecodeOp : public Op {
 public:
  explicit DecodeOp(std::shared_ptr<WeightCaches> caches)
      : Op("KerasDcDecode"), caches_(std::move(caches)) {}

  void Attach(TfLiteContext* context) override { Prepare(context); }

  Error Prepare(TfLiteContext* context) override {
    Error error = CheckArity(*context, 1, 1);
    if (!error.empty()) return error;
    Blob blob;
    error = GetBlob(*Input(context, 0), &blob);
    if (!error.empty()) return error;
    TfLiteTensor* output = Output(context);
    if (IsOurs(*output) && blob == blob_) return "";

    kdc_blob_info info;
    const int32_t status = kdc_inspect(blob.data, blob.size, &info);
    if (status != KDC_OK) return BlobError(static_cast<kdc_status>(status));
    error = CheckOutput(*output, info);
    if (!error.empty()) return error;
    error = Decode(blob, info);
    if (!error.empty()) return error;
    blob_ = blob;
    output->allocation_type = kTfLiteMmapRo;
    // The runtime takes non-const pointers to constants, too.
    output->data.data = const_cast<uint8_t*>(weights_->data());
    output->bytes = weights_->size_bytes();
    return "";
  }

  Error Eval(TfLiteContext*) override { return ""; }

  void Detach(TfLiteContext* context) override {
    TfLiteTensor* output = Output(context);
    if (output == nullptr || !IsOurs(*output)) return;
    output->allocation_type = kTfLiteArenaRw;
    output->data.data = nullptr;
  }

 private:
  bool IsOurs(const TfLiteTensor& tensor) const {
    return weights_ != nullptr && tensor.allocation_type == kTfLiteMmapRo &&
           tensor.data.data == weights_->data();
  }

  Error CheckOutput(const TfLiteTensor& output,
                    const kdc_blob_info& info) const {
    if (output.is_variable ||
        (output.allocation_type == kTfLiteMmapRo && !IsOurs(output))) {
      return "expected a computed output tensor, got a constant or a variable";
    }
    if (output.type != TfLiteTypeOf(info.dtype)) {
      return "the blob holds " + TypeName(TfLiteTypeOf(info.dtype)) +
             ", the output tensor is " + TypeName(output.type);
    }
    const size_t rank = static_cast<size_t>(info.rank);
    bool is_same_shape = output.dims != nullptr &&
                         output.dims->size == static_cast<int>(info.rank);
    for (size_t i = 0; is_same_shape && i < rank; ++i) {
      is_same_shape = output.dims->data[i] == info.shape[i];
    }
    if (!is_same_shape) {
      return "the blob holds shape " + ShapeString(info.shape, rank) +
             ", the output tensor has " + ShapeString(output.dims);
    }
    return "";
  }

  // To be called after CheckOutput: the shape bounds what is allocated here.
  Error Decode(const Blob& blob, const kdc_blob_info& info) {
    const BlobKey key = KeyOf(blob);
    std::shared_ptr<const DenseWeights> ready = caches_->dense.Find(key);
    if (ready == nullptr) {
      auto weights = std::make_shared<DenseWeights>(
          static_cast<size_t>(info.num_weights) * ItemSize(info.dtype));
      const kdc_status status = DecodeDense(
          blob.data, blob.size, weights->data(), weights->size_bytes());
      if (status != KDC_OK) return BlobError(status);
      if (info.dtype == KDC_INT4) {
        weights->Shrink(PackInt4(weights->data(), weights->size_bytes()));
      }
      ready = std::move(weights);
      caches_->dense.Insert(key, ready);
    }
    weights_ = std::move(ready);
    return "";
  }

  std::shared_ptr<WeightCaches> caches_;
  std::shared_ptr<const DenseWeights> weights_;
  Blob blob_;
};

}  // namespace

std::unique_ptr<Op> MakeDecode(std::shared_ptr<WeightCaches> caches) {
  return std::make_unique<DecodeOp>(std::move(caches));
}

}  // namespace keras_dc
