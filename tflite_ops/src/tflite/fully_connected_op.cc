// KerasDcFullyConnected: FULLY_CONNECTED whose weights are a blob, of float32
// or int8.
//
// Inputs and output: weight_op.h; weights [units, input_size]. Custom options,
// each a byte: fused activation, flags, version of the operator that was
// replaced less 1, place in a bundle. The flag 64 is for those who undo the
// replacement: a RESHAPE to rows was before the operator.
#include <climits>

#include "kernels/fully_connected.h"
#include "kernels/int8_fully_connected.h"
#include "tflite/float_weight_op.h"
#include "tflite/int8_weight_op.h"

namespace keras_dc {
namespace {

constexpr OpTexts kTexts = {"KerasDcFullyConnected", "weights",
                            "[units, input_size]", 3, 8};
constexpr uint8_t kKeepNumDimsFlag = 1;
constexpr uint8_t kAsymmetricFlag = 2;

using FloatOp =
    FloatWeightOp<FullyConnected, FullyConnectedPlan, FullyConnectedScratch>;
using Int8Op = Int8WeightOp<Int8FullyConnected, Int8FullyConnectedPlan,
                            Int8FullyConnectedScratch>;

// The shapes of either.
template <typename Numbers>
class FullyConnectedOp : public Numbers {
 public:
  FullyConnectedOp(const NodeOptions& options,
                   std::shared_ptr<OpResources> resources)
      : Numbers(kTexts, options, std::move(resources)) {}

 protected:
  size_t batch() const { return batch_; }

 private:
  bool HasWeightsShape(const kdc_blob_info& weights) const override {
    return weights.rank == 2 && weights.shape[0] <= INT_MAX &&
           weights.shape[1] <= INT_MAX && weights.shape[1] != 0;
  }

  // Does what TFLite's FULLY_CONNECTED does with shapes.
  Error CheckShapes(const TfLiteIntArray& dims,
                    std::vector<int>* output_shape) override {
    const auto units = static_cast<int>(this->info().shape[0]);
    const int64_t input_size = this->info().shape[1];
    int64_t num_elements = 1;
    for (int i = 0; i < dims.size; ++i) {
      if (dims.data[i] < 0 ||
          (dims.data[i] > 0 && num_elements > INT_MAX / dims.data[i])) {
        return "the input shape " + ShapeString(&dims) + " is out of range";
      }
      num_elements *= dims.data[i];
    }
    const bool keep_num_dims = (this->options_[1] & kKeepNumDimsFlag) != 0;
    const bool fits =
        keep_num_dims ? dims.size > 0 && dims.data[dims.size - 1] == input_size
                      : num_elements % input_size == 0;
    if (!fits) {
      return "the input shape " + ShapeString(&dims) +
             " does not fit weights of shape " + this->WeightsShape();
    }
    batch_ = static_cast<size_t>(num_elements / input_size);
    this->num_input_elements_ = static_cast<size_t>(num_elements);
    this->num_output_elements_ = batch_ * static_cast<size_t>(units);
    if (keep_num_dims) {
      output_shape->assign(dims.data, dims.data + dims.size);
      output_shape->back() = units;
    } else {
      *output_shape = {static_cast<int>(batch_), units};
    }
    return "";
  }

  typename Numbers::Plan MakePlan(size_t num_rows, Isa isa,
                                  size_t num_threads) const override {
    return typename Numbers::Plan(
        num_rows, static_cast<size_t>(this->info().shape[1]),
        this->PartsTogether(batch_), isa, num_threads);
  }

  size_t batch_ = 0;
};

class FloatFullyConnectedOp : public FullyConnectedOp<FloatOp> {
 public:
  using FullyConnectedOp::FullyConnectedOp;
};

class Int8FullyConnectedOp : public FullyConnectedOp<Int8Op> {
 public:
  using FullyConnectedOp::FullyConnectedOp;

 private:
  bool IsFullyConnected() const override { return true; }
  bool IsAsymmetric() const override {
    return (options_[1] & kAsymmetricFlag) != 0;
  }
  bool HasPadding() const override { return false; }
  size_t NumParts() const override { return batch(); }
};

}  // namespace

std::unique_ptr<Op> MakeFullyConnected(const NodeOptions& options,
                                       std::shared_ptr<OpResources> resources) {
  if (AreInt8Options(options)) {
    return std::make_unique<Int8FullyConnectedOp>(options,
                                                  std::move(resources));
  }
  return std::make_unique<FloatFullyConnectedOp>(options, std::move(resources));
}

}  // namespace keras_dc
