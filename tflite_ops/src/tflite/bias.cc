#include "tflite/bias.h"

#include <cstddef>
#include <utility>

#include "common/return_if_error.h"
#include "decode/decoder.h"
#include "tflite/bundle.h"

namespace keras_dc {
namespace {

using Floats = std::vector<float>;

Error Misfit(const std::string& role, const std::string& shape,
             const std::string& weights) {
  return "the " + role + " shape " + shape + " does not fit weights of shape " +
         weights;
}

// Decodes a blob of `units` float32 values.
Error Decode(const std::string& role, const Blob& blob, int64_t units,
             const std::string& weights, Floats* values) {
  ParsedBlob parsed;
  kdc_status status = ReadBlob(blob.data, blob.size, &parsed);
  parsed.WidenFloat16();
  if (status == KDC_OK) {
    const kdc_blob_info& info = parsed.info;
    if (info.dtype != KDC_FLOAT32) {
      return "expected the " + role + " as FLOAT32, the blob holds " +
             TypeName(TfLiteTypeOf(info.dtype));
    }
    if (info.rank != 1 || info.shape[0] != units) {
      return Misfit(role,
                    ShapeString(info.shape, static_cast<size_t>(info.rank)),
                    weights);
    }
    values->resize(static_cast<size_t>(units));
    status =
        DecodeDense(parsed, 1, values->data(), values->size() * sizeof(float));
  }
  return status == KDC_OK ? "" : role + ": " + BlobError(status);
}

}  // namespace

Error Bias::Prepare(const TfLiteTensor* tensor, size_t place, int64_t units,
                    const std::string& weights, BlobCache* cache) {
  decoded_ = nullptr;
  if (tensor == nullptr) return "";
  const auto size = static_cast<size_t>(units);
  if (tensor->type == kTfLiteFloat32) {
    size_bytes_ = size * sizeof(float);
    if (tensor->bytes == size_bytes_) return "";
    return Misfit(role_, ShapeString(tensor->dims), weights);
  }
  if (tensor->type != kTfLiteUInt8) {
    return std::string("expected the ") + role_ +
           " as FLOAT32 or a blob, got " + TypeName(tensor->type);
  }
  Blob blob;
  const Error error = GetBlobAt(*tensor, place, &blob);
  if (!error.empty()) return std::string(role_) + ": " + error;
  const BlobKey& key = key_.Of(blob);
  const auto fits = [size](const Floats& held) { return held.size() == size; };
  decoded_ = cache->FindIf<Floats>(key, fits);
  if (decoded_ != nullptr) return "";
  auto values = std::make_shared<Floats>();
  KDC_RETURN_IF_ERROR(Decode(role_, blob, units, weights, values.get()));
  decoded_ = cache->Insert<Floats>(key, std::move(values), fits);
  return "";
}

Error Bias::GetValues(const TfLiteTensor* tensor, const float** values) const {
  if (decoded_ != nullptr) {
    *values = decoded_->data();
  } else if (tensor != nullptr) {
    KDC_RETURN_IF_ERROR(CheckMemory(role_, *tensor, size_bytes_));
    *values = tensor->data.f;
  }
  return "";
}

}  // namespace keras_dc
