// KerasDcDecode: decodes a blob to a weight tensor for an op of the runtime.
//
// The output becomes a constant (kTfLiteMmapRo) in our memory. Who looks at the
// graph afterwards, above all XNNPACK, sees the model as it was before it was
// compressed, and computes the same bits at the same speed. All interpreters of
// the process that read the blob share the memory, which nobody writes to.
#include <algorithm>
#include <utility>

#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/decoder.h"
#include "tflite/bundle.h"
#include "tflite/op.h"

namespace keras_dc {
namespace {

// Packs two 4-bit values into a byte, the first one low, as TFLite has them.
// Packs in place, and returns the packed size.
size_t PackInt4(uint8_t* values, size_t count) {
  for (size_t i = 0; i < count; i += 2) {
    const uint8_t high = i + 1 < count ? values[i + 1] : 0;
    values[i / 2] = static_cast<uint8_t>((values[i] & 0xf) | high << 4);
  }
  return (count + 1) / 2;
}

// Dense values for ops of the runtime. Kernels there load whole SIMD registers
// and may read past the end, so a cache line is added.
class DenseWeights {
 public:
  explicit DenseWeights(size_t size_bytes)
      : size_bytes_(size_bytes), lines_(size_bytes / sizeof(Line) + 2) {}

  uint8_t* data() { return lines_[0].bytes; }
  const uint8_t* data() const { return lines_[0].bytes; }
  size_t size_bytes() const { return size_bytes_; }
  void Shrink(size_t size_bytes) { size_bytes_ = size_bytes; }

 private:
  struct alignas(64) Line {
    uint8_t bytes[64];
  };
  size_t size_bytes_;
  std::vector<Line> lines_;
};

class DecodeOp : public Op {
 public:
  DecodeOp(const NodeOptions& options, std::shared_ptr<OpResources> resources)
      : Op("KerasDcDecode"),
        place_(options.custom_size == 0 ? 0 : options.custom[0]),
        resources_(std::move(resources)) {}

  void Attach(TfLiteContext* context) override { Prepare(context); }

  Error Prepare(TfLiteContext* context) override {
    KDC_RETURN_IF_ERROR(CheckArity(*context, 1, 1));
    Blob blob;
    KDC_RETURN_IF_ERROR(GetBlobAt(*Input(context, 0), place_, &blob));
    TfLiteTensor* output = Output(context);
    if (IsOurs(*output) && blob == blob_) return "";

    ParsedBlob parsed;
    KDC_RETURN_IF_ERROR(BlobError(ReadBlob(blob.data, blob.size, &parsed)));
    // As the DEQUANTIZE does that was between the constant and its readers.
    if (output->type == kTfLiteFloat32) parsed.WidenFloat16();
    KDC_RETURN_IF_ERROR(CheckOutput(*output, parsed.info));
    KDC_RETURN_IF_ERROR(Decode(*context, KeyOf(blob), parsed));
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
    // Memory of another kind belongs to who made it: it would be lost here.
    if (output.is_variable ||
        (output.allocation_type != kTfLiteArenaRw && !IsOurs(output))) {
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

  // To be called after CheckOutput: the output's shape bounds what is
  // allocated.
  Error Decode(const TfLiteContext& context, const BlobKey& key,
               const ParsedBlob& parsed) {
    const auto count = static_cast<size_t>(parsed.info.num_weights);
    const size_t size_bytes = count * ItemSize(parsed.info.dtype);
    const size_t stored_bytes =
        parsed.info.dtype == KDC_INT4 ? (count + 1) / 2 : size_bytes;
    // The same blob may be a tensor of float16 and one of float32.
    const auto fits = [stored_bytes](const DenseWeights& held) {
      return held.size_bytes() == stored_bytes;
    };
    auto ready = resources_->cache.FindIf<DenseWeights>(key, fits);
    if (ready == nullptr) {
      auto weights = std::make_shared<DenseWeights>(size_bytes);
      const auto num_threads =
          static_cast<size_t>(std::max(context.recommended_num_threads, 1));
      KDC_RETURN_IF_ERROR(BlobError(DecodeDense(
          parsed, num_threads, weights->data(), weights->size_bytes())));
      if (parsed.info.dtype == KDC_INT4) {
        weights->Shrink(PackInt4(weights->data(), weights->size_bytes()));
      }
      ready =
          resources_->cache.Insert<DenseWeights>(key, std::move(weights), fits);
    }
    weights_ = std::move(ready);
    return "";
  }

  // In a bundle: the custom option, a byte.
  size_t place_;
  std::shared_ptr<OpResources> resources_;
  std::shared_ptr<const DenseWeights> weights_;
  Blob blob_;
};

}  // namespace

std::unique_ptr<Op> MakeDecode(const NodeOptions& options,
                               std::shared_ptr<OpResources> resources) {
  return std::make_unique<DecodeOp>(options, std::move(resources));
}

}  // namespace keras_dc
