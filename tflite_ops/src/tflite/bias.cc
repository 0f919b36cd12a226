#include "tflite/bias.h"

#include <cstddef>

#include "keras_dc/codec.h"

namespace keras_dc {

Error Bias::Prepare(const TfLiteTensor* tensor, int64_t units,
                    const std::string& weights) {
  if (tensor == nullptr) return "";
  const auto size = static_cast<size_t>(units);
  const auto misfit = [&weights](const std::string& shape) {
    return "the bias shape " + shape + " does not fit weights of shape " +
           weights;
  };
  if (tensor->type == kTfLiteFloat32) {
    if (tensor->bytes == size * sizeof(float)) return "";
    return misfit(ShapeString(tensor->dims));
  }
  if (tensor->type != kTfLiteUInt8) {
    return "expected the bias as FLOAT32 or a blob, got " +
           TypeName(tensor->type);
  }
  Blob blob;
  Error error = GetBlob(*tensor, &blob);
  if (!error.empty()) return "bias: " + error;
  kdc_blob_info info;
  int32_t status = kdc_inspect(blob.data, blob.size, &info);
  if (status != KDC_OK) {
    return "bias: " + BlobError(static_cast<kdc_status>(status));
  }
  if (info.dtype != KDC_FLOAT32) {
    return "expected a bias of FLOAT32, the blob holds " +
           TypeName(TfLiteTypeOf(info.dtype));
  }
  if (info.rank != 1 || info.shape[0] != units) {
    return misfit(ShapeString(info.shape, static_cast<size_t>(info.rank)));
  }
  decoded_.resize(size);
  status = kdc_decode(blob.data, blob.size, decoded_.data(),
                      decoded_.size() * sizeof(float));
  if (status != KDC_OK) {
    return "bias: " + BlobError(static_cast<kdc_status>(status));
  }
  return "";
}

const float* Bias::Values(const TfLiteTensor* tensor) const {
  if (tensor == nullptr) return nullptr;
  return tensor->type == kTfLiteFloat32 ? tensor->data.f : decoded_.data();
}

}  // namespace keras_dc
