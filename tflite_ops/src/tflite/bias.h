// The bias of an op with weights: absent, a float32 tensor, or a blob of one.
// So are the scales of int8 weights.
#ifndef KERAS_DC_SRC_TFLITE_BIAS_H_
#define KERAS_DC_SRC_TFLITE_BIAS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "keras_dc/tflite_abi.h"
#include "tflite/op.h"

namespace keras_dc {

class Bias {
 public:
  // `role` is what errors call the numbers: "bias".
  explicit Bias(const char* role) : role_(role) {}

  // Checks that `tensor`, which may be null, holds `units` numbers. A blob, in
  // a bundle that at `place`, is decoded, unless `cache` holds its values; it
  // may hold them as float16, too.
  // `weights` is the shape of the weights, for errors.
  Error Prepare(const TfLiteTensor* tensor, size_t place, int64_t units,
                const std::string& weights, BlobCache* cache);

  // Sets `values`, to null if there is no bias. To be called at each Eval: a
  // float tensor may have moved, and may be computed.
  Error GetValues(const TfLiteTensor* tensor, const float** values) const;

 private:
  const char* role_;
  KeyMemo key_;
  // Of a float tensor.
  size_t size_bytes_ = 0;
  // Of a blob.
  std::shared_ptr<const std::vector<float>> decoded_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_BIAS_H_
