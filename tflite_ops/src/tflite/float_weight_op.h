// Ops with float32 weights: see weight_op.h. The bias is float32 or a blob.
// Blobs may hold float16, whose values are taken for the float32 of equal
// value.
#ifndef KERAS_DC_SRC_TFLITE_FLOAT_WEIGHT_OP_H_
#define KERAS_DC_SRC_TFLITE_FLOAT_WEIGHT_OP_H_

#include <memory>
#include <utility>

#include "tflite/bias.h"
#include "tflite/weight_op.h"

namespace keras_dc {

template <typename Layer, typename Plan, typename Scratch>
class FloatWeightOp : public WeightOp<Layer, Plan, Scratch> {
 protected:
  using Base = WeightOp<Layer, Plan, Scratch>;

  FloatWeightOp(const OpTexts& texts, const NodeOptions& options,
                std::shared_ptr<OpResources> resources)
      : Base(texts, options, 3, KDC_FLOAT32, std::move(resources)) {}

  // How many parts of the input are computed together: all.
  size_t PartsTogether(size_t num_parts) const { return num_parts; }

 private:
  Error CheckTypes(const TfLiteTensor& input,
                   const TfLiteTensor& output) override {
    KDC_RETURN_IF_ERROR(CheckFloat32("input", input));
    return CheckFloat32("output", output);
  }

  Error PrepareNumbers(TfLiteContext* context) override {
    const TfLiteTensor& weights = *this->Input(context, Base::kWeights);
    const size_t place = this->place() + (IsBundle(weights) ? 1 : 0);
    return bias_.Prepare(this->Input(context, Base::kBias), place,
                         this->num_outputs(), this->WeightsShape(),
                         &this->resources()->cache);
  }

  Error Compute(TfLiteContext* context, const TfLiteTensor& input,
                TfLiteTensor* output) override {
    const float* bias = nullptr;
    KDC_RETURN_IF_ERROR(
        bias_.GetValues(this->Input(context, Base::kBias), &bias));
    ThreadPool* threads = &this->resources()->threads;
    if (this->has_low_memory()) {
      return BlobError(RunStreamed(this->streamed(), this->plan(), input.data.f,
                                   bias, this->activation(), threads,
                                   output->data.f));
    }
    this->layer().Run(this->plan(), input.data.f, bias, this->activation(),
                      threads, this->scratch(), output->data.f);
    return "";
  }

  Bias bias_{"bias"};
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_FLOAT_WEIGHT_OP_H_
