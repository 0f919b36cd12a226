// Ops with int8 weights: see weight_op.h. Input and output are both int8, and
// the bias is int32; or both are float32, and the bias is float32 or a blob:
// then each part of the input, a row of a batch or an image, is quantized when
// it comes (dynamic range). `Scales`: a scale for each row of the weights,
// float32 or a blob; without it the tensor of the weights has one for all.
#ifndef KERAS_DC_SRC_TFLITE_INT8_WEIGHT_OP_H_
#define KERAS_DC_SRC_TFLITE_INT8_WEIGHT_OP_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/quantize_input.h"
#include "kernels/requantize.h"
#include "tflite/bias.h"
#include "tflite/weight_op.h"

namespace keras_dc {

// What byte 1 of the custom options tells of an int8 op. The others are for
// who restores the operator: its bias had scales that follow from those of
// input and weights; it had two inputs.
inline constexpr uint8_t kInt8Flag = 4;
inline constexpr uint8_t kPlainBiasFlag = 8;
inline constexpr uint8_t kTwoInputsFlag = 16;

// Whether the options are those of an op with int8 weights.
inline bool AreInt8Options(const NodeOptions& options) {
  return options.custom_size > 1 && (options.custom[1] & kInt8Flag) != 0;
}

template <typename Layer, typename Plan, typename Scratch>
class Int8WeightOp : public WeightOp<Layer, Plan, Scratch> {
 protected:
  using Base = WeightOp<Layer, Plan, Scratch>;

  Int8WeightOp(const OpTexts& texts, const NodeOptions& options,
               std::shared_ptr<OpResources> resources)
      : Base(texts, options, 4, KDC_INT8, std::move(resources)) {}

  // Whether TFLite's op rounds once (see requantize.h) and, if there is one
  // scale for all weights, multiplies it with the input's in float32; it does
  // either, or neither.
  virtual bool IsFullyConnected() const = 0;
  // Whether parts of float inputs have zero points of their own.
  virtual bool IsAsymmetric() const = 0;
  // Whether padding stands for 0, so that a part must be computed by itself.
  virtual bool HasPadding() const = 0;
  // The rows of the batch, or the images.
  virtual size_t NumParts() const = 0;

  bool has_scales() const { return has_scales_; }
  size_t PartsTogether(size_t num_parts) const {
    return RunsPartsAlone() && num_parts > 0 ? 1 : num_parts;
  }

 private:
  // A float for each output channel.
  using Floats = std::vector<float>;

  bool RunsPartsAlone() const {
    return is_float_ && (HasPadding() || IsAsymmetric());
  }

  Error CheckTypes(const TfLiteTensor& input,
                   const TfLiteTensor& output) override {
    is_float_ = input.type == kTfLiteFloat32;
    if (is_float_) return CheckFloat32("output", output);
    KDC_RETURN_IF_ERROR(CheckInt8("input", input));
    return CheckInt8("output", output);
  }

  static Error CheckInt8(const char* role, const TfLiteTensor& tensor) {
    const std::string text = std::string("expected the ") + role;
    if (tensor.type != kTfLiteInt8) {
      return text + " as INT8 or both as FLOAT32, got " + TypeName(tensor.type);
    }
    const float scale = tensor.params.scale;
    const int32_t zero = tensor.params.zero_point;
    if (std::isfinite(scale) && scale > 0.0f && zero >= -128 && zero <= 127) {
      return "";
    }
    return text + " with a scale and a zero point of INT8, got " +
           std::to_string(scale) + " and " + std::to_string(zero);
  }

  Error PrepareNumbers(TfLiteContext* context) override {
    const TfLiteTensor& weights = *this->Input(context, Base::kWeights);
    const TfLiteTensor* bias = this->Input(context, Base::kBias);
    size_t place = this->place() + (IsBundle(weights) ? 1 : 0);
    if (is_float_) {
      KDC_RETURN_IF_ERROR(bias_.Prepare(bias, place, this->num_outputs(),
                                        this->WeightsShape(),
                                        &this->resources()->cache));
    } else {
      KDC_RETURN_IF_ERROR(CheckIntegerBias(bias));
    }
    place += bias != nullptr && IsBundle(*bias) ? 1 : 0;
    KDC_RETURN_IF_ERROR(ReadScales(context, weights, place));
    if (is_float_) return "";
    return SetScaling(*this->Input(context, Base::kInput),
                      *this->Output(context));
  }

  Error CheckIntegerBias(const TfLiteTensor* bias) const {
    if (bias == nullptr) return "";
    if (bias->type != kTfLiteInt32) {
      return "expected the bias as INT32, got " + TypeName(bias->type);
    }
    if (bias->bytes ==
        static_cast<size_t>(this->num_outputs()) * sizeof(int32_t)) {
      return "";
    }
    return "the bias shape " + ShapeString(bias->dims) +
           " does not fit weights of shape " + this->WeightsShape();
  }

  // Sets `scales_`, one for each row, and `has_scales_`.
  Error ReadScales(TfLiteContext* context, const TfLiteTensor& weights,
                   size_t place) {
    const auto num_rows = static_cast<size_t>(this->num_outputs());
    const TfLiteTensor* tensor = this->Input(context, Base::kScales);
    has_scales_ = tensor != nullptr;
    if (this->info().zero_point != 0 ||
        (!has_scales_ && weights.params.zero_point != 0)) {
      return "expected weights whose zero point is 0";
    }
    if (has_scales_) {
      if (tensor->type == kTfLiteFloat32 &&
          (tensor->allocation_type != kTfLiteMmapRo ||
           tensor->data.raw == nullptr)) {
        return "expected the scales as a constant, got a computed tensor";
      }
      Bias scales("scales");
      KDC_RETURN_IF_ERROR(scales.Prepare(tensor, place, this->num_outputs(),
                                         this->WeightsShape(),
                                         &this->resources()->cache));
      const float* values = nullptr;
      KDC_RETURN_IF_ERROR(scales.GetValues(tensor, &values));
      scales_.assign(values, values + num_rows);
    } else {
      scales_.assign(num_rows, weights.params.scale);
    }
    for (const float scale : scales_) {
      if (std::isfinite(scale) && scale >= 0.0f) continue;
      return "expected scales of weights that are numbers from 0 on, got " +
             std::to_string(scale);
    }
    return "";
  }

  // Sets `scaling_`.
  Error SetScaling(const TfLiteTensor& input, const TfLiteTensor& output) {
    scaling_ = OutputScaling();
    scaling_.rounds_once = IsFullyConnected();
    input_zero_point_ = input.params.zero_point;
    scaling_.zero_point = output.params.zero_point;
    if (!scaling_.SetRange(this->activation(), output.params.scale)) {
      return "the fused activation " + std::to_string(this->options_[0]) +
             " has no bounds in INT8 of scale " +
             std::to_string(output.params.scale);
    }
    const float in = input.params.scale;
    const bool in_float = IsFullyConnected() && !has_scales_;
    for (const float scale : scales_) {
      const double product = in_float ? static_cast<double>(in * scale)
                                      : double{in} * double{scale};
      QuantizedScale quantized;
      if (!QuantizeScale(product / double{output.params.scale}, &quantized)) {
        return "the scales of input and weights are too large for the output's";
      }
      scaling_.Add(quantized);
    }
    return "";
  }

  Error Compute(TfLiteContext* context, const TfLiteTensor& input,
                TfLiteTensor* output) override {
    const TfLiteTensor* bias = this->Input(context, Base::kBias);
    if (is_float_) {
      const float* values = nullptr;
      KDC_RETURN_IF_ERROR(bias_.GetValues(bias, &values));
      return ComputeFloats(input.data.f, values, output->data.f);
    }
    Int8Inputs inputs;
    inputs.values = input.data.int8;
    inputs.zero_point = input_zero_point_;
    if (bias != nullptr) {
      KDC_RETURN_IF_ERROR(
          CheckMemory("bias", *bias, scales_.size() * sizeof(int32_t)));
      inputs.bias = bias->data.i32;
    }
    return Run(inputs, &scaling_, output->data.int8);
  }

  Error Run(const Int8Inputs& inputs, const OutputScaling* scaling,
            void* output) {
    ThreadPool* threads = &this->resources()->threads;
    if (this->has_low_memory()) {
      return BlobError(RunStreamed(this->streamed(), this->plan(), inputs,
                                   scaling, threads, output));
    }
    this->layer().Run(this->plan(), inputs, scaling, threads, this->scratch(),
                      output);
    return "";
  }

  // Float inputs. The sums are written where the outputs will be.
  Error ComputeFloats(const float* input, const float* bias, float* output) {
    const size_t num_parts = NumParts();
    const size_t part_inputs = this->num_input_elements_ / num_parts;
    const size_t part_outputs = this->num_output_elements_ / num_parts;
    quantized_.resize(this->num_input_elements_);
    std::vector<InputScale> parts(num_parts);
    std::vector<bool> is_finite(num_parts);
    for (size_t p = 0; p < num_parts; ++p) {
      int8_t* integers = quantized_.data() + p * part_inputs;
      is_finite[p] = QuantizeInput(input + p * part_inputs, part_inputs,
                                   IsAsymmetric(), integers, &parts[p]);
      if (!is_finite[p]) std::fill_n(integers, part_inputs, int8_t{0});
    }
    const size_t step = RunsPartsAlone() ? 1 : num_parts;
    for (size_t p = 0; p < num_parts; p += step) {
      Int8Inputs inputs;
      inputs.values = quantized_.data() + p * part_inputs;
      inputs.zero_point = parts[p].zero_point;
      KDC_RETURN_IF_ERROR(Run(inputs, nullptr, output + p * part_outputs));
    }
    for (size_t p = 0; p < num_parts; ++p) {
      float* out = output + p * part_outputs;
      if (is_finite[p]) {
        ScaleSums(parts[p].scale, bias, part_outputs, out);
      } else {
        // As a dense layer of floats, but for infinities.
        std::fill_n(out, part_outputs, std::numeric_limits<float>::quiet_NaN());
      }
    }
    ApplyActivation(this->activation(), this->num_output_elements_, output);
    return "";
  }

  // From the sums of one part, 32-bit integers in the memory of floats, to
  // outputs. The products are rounded in the order of TFLite.
  void ScaleSums(float input_scale, const float* bias, size_t size,
                 float* values) const {
    const size_t num_rows = scales_.size();
    const bool by_row_first = HasPadding() && IsAsymmetric();
    for (size_t at = 0; at < size; at += num_rows) {
      for (size_t r = 0; r < num_rows; ++r) {
        int32_t sum;
        std::memcpy(&sum, values + at + r, sizeof(sum));
        const auto whole = static_cast<float>(sum);
        const float scaled = by_row_first ? whole * scales_[r] * input_scale
                                          : whole * (input_scale * scales_[r]);
        values[at + r] = scaled + (bias == nullptr ? 0.0f : bias[r]);
      }
    }
  }

  bool is_float_ = false;
  bool has_scales_ = false;
  Bias bias_{"bias"};
  Floats scales_;
  int32_t input_zero_point_ = 0;
  OutputScaling scaling_;
  std::vector<int8_t> quantized_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_INT8_WEIGHT_OP_H_
