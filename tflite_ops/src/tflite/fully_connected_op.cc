// KerasDcFullyConnected: FULLY_CONNECTED of float32 whose weights are a blob.
//
// Inputs and output: weight_op.h; weights [units, input_size]. Custom options,
// each a byte: fused activation, flags, version of the operator that was
// replaced less 1, place in a bundle.
#include <climits>

#include "kernels/fully_connected.h"
#include "tflite/weight_op.h"

namespace keras_dc {
namespace {

constexpr size_t kPlaceOption = 3;
constexpr size_t kMaxOptionBytes = 8;
constexpr uint8_t kKeepNumDimsFlag = 1;

class FullyConnectedOp : public WeightOp<FullyConnected, FullyConnectedPlan,
                                         FullyConnectedScratch> {
 public:
  FullyConnectedOp(const NodeOptions& options,
                   std::shared_ptr<OpResources> resources)
      : WeightOp("KerasDcFullyConnected", "weights", "[units, input_size]",
                 options, kPlaceOption, kMaxOptionBytes, std::move(resources)) {
  }

 private:
  bool HasWeightsShape(const kdc_blob_info& weights) const override {
    return weights.rank == 2 && weights.shape[0] <= INT_MAX &&
           weights.shape[1] <= INT_MAX && weights.shape[1] != 0;
  }

  // Does what TFLite's FULLY_CONNECTED does with shapes.
  Error CheckShapes(const TfLiteIntArray& dims,
                    std::vector<int>* output_shape) override {
    const auto units = static_cast<int>(info().shape[0]);
    const int64_t input_size = info().shape[1];
    int64_t num_elements = 1;
    for (int i = 0; i < dims.size; ++i) {
      if (dims.data[i] < 0 ||
          (dims.data[i] > 0 && num_elements > INT_MAX / dims.data[i])) {
        return "the input shape " + ShapeString(&dims) + " is out of range";
      }
      num_elements *= dims.data[i];
    }
    const bool keep_num_dims = (options_[1] & kKeepNumDimsFlag) != 0;
    const bool fits =
        keep_num_dims ? dims.size > 0 && dims.data[dims.size - 1] == input_size
                      : num_elements % input_size == 0;
    if (!fits) {
      return "the input shape " + ShapeString(&dims) +
             " does not fit weights of shape " + WeightsShape();
    }
    batch_ = static_cast<size_t>(num_elements / input_size);
    input_bytes_ = static_cast<size_t>(num_elements) * sizeof(float);
    output_bytes_ = batch_ * static_cast<size_t>(units) * sizeof(float);
    if (keep_num_dims) {
      output_shape->assign(dims.data, dims.data + dims.size);
      output_shape->back() = units;
    } else {
      *output_shape = {static_cast<int>(batch_), units};
    }
    return "";
  }

  FullyConnectedPlan MakePlan(size_t num_rows, Isa isa,
                              size_t num_threads) const override {
    return FullyConnectedPlan(num_rows, static_cast<size_t>(info().shape[1]),
                              batch_, isa, num_threads);
  }

  size_t batch_ = 0;
};

}  // namespace

std::unique_ptr<Op> MakeFullyConnected(const NodeOptions& options,
                                       std::shared_ptr<OpResources> resources) {
  return std::make_unique<FullyConnectedOp>(options, std::move(resources));
}

}  // namespace keras_dc
