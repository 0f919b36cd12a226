// KerasDcFullyConnected and KerasDcConv2D with int8 weights, by their
// registrations.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "fake_runtime.h"
#include "tflite/op_table.h"

namespace keras_dc {
namespace {

constexpr uint8_t kInt8 = 4, kAsymmetric = 2, kPlainBias = 8, kTwoInputs = 16;

std::vector<uint8_t> EncodeInt8(const std::vector<int8_t>& values,
                                const std::vector<int64_t>& shape,
                                int zero_point = 0) {
  kdc_bytes* blob = nullptr;
  if (kdc_encode_with_zero_point(values.data(), KDC_INT8, shape.data(),
                                 static_cast<int32_t>(shape.size()), zero_point,
                                 &blob) != KDC_OK) {
    std::abort();
  }
  return TakeBytes(blob);
}

struct Settings {
  const char* op = "KerasDcFullyConnected";
  std::vector<uint8_t> weights = EncodeInt8({2, 0, -3, 0, 5, 0}, {2, 3});
  std::vector<int> input_dims = {1, 3};
  std::vector<uint8_t> options = {0, kInt8};
  int type = kTfLiteInt8;
  // Empty: the tensor of the weights has the scale 0.5.
  std::vector<float> scales;
  std::vector<int32_t> bias;
  float input_scale = 0.5f, output_scale = 1.0f;
  int input_zero = 10, output_zero = -2;
};

struct Int8Graph {
  explicit Int8Graph(const Settings& s) {
    input = runtime.AddTensor(s.type, s.input_dims, "input");
    weights = runtime.AddBlob(s.weights);
    std::vector<int> inputs = {input, weights};
    const auto size = static_cast<int>(s.bias.size());
    if (size > 0 || !s.scales.empty()) inputs.push_back(-1);
    if (size > 0) {
      inputs[2] = bias = runtime.AddTensor(kTfLiteInt32, {size}, "bias");
    }
    if (!s.scales.empty()) {
      inputs.push_back(runtime.AddBlob(
          EncodeFloats(s.scales, {static_cast<int64_t>(s.scales.size())})));
    }
    std::vector<int> dims(s.input_dims.size(), 1);
    dims.back() = 2;
    output = runtime.AddTensor(s.type, dims, "scores");
    runtime.tensor(input).params = {s.input_scale, s.input_zero};
    runtime.tensor(weights).params = {0.5f, 0};
    runtime.tensor(output).params = {s.output_scale, s.output_zero};
    const TfLiteRegistration op = MakeRegistration(*FindCustomOp(s.op));
    runtime.AddNode(s.op, &op, inputs, {output}, s.options);
    bias_values = s.bias;
  }

  std::vector<int> Run(const std::vector<int8_t>& values) {
    EXPECT_EQ(runtime.Allocate(), kTfLiteOk) << runtime.errors();
    std::copy(values.begin(), values.end(), runtime.tensor(input).data.int8);
    for (size_t i = 0; i < bias_values.size(); ++i) {
      runtime.tensor(bias).data.i32[i] = bias_values[i];
    }
    EXPECT_EQ(runtime.Invoke(), kTfLiteOk) << runtime.errors();
    const TfLiteTensor& y = runtime.tensor(output);
    return std::vector<int>(y.data.int8, y.data.int8 + y.bytes);
  }

  FakeRuntime runtime;
  int input = 0, weights = 0, bias = 0, output = 0;
  std::vector<int32_t> bias_values;
};

TEST(Int8FullyConnectedOp, ComputesByHand) {
  // Weights 1, 0, -1.5 and 0, 2.5, 0; inputs 1, 2, 3.
  Int8Graph graph{Settings()};
  EXPECT_EQ(graph.Run({12, 14, 16}), (std::vector<int>{-2 - 3, -2 + 5}));
}

TEST(Int8FullyConnectedOp, RoundsOnceAndHalvesUp) {
  // Outputs -3.5 and 5.
  Int8Graph graph{Settings()};
  EXPECT_EQ(graph.Run({11, 14, 16}), (std::vector<int>{-2 - 4, -2 + 5}));
  // Outputs -2.5 and -2.5, of scale 1.
  Settings halves;
  halves.output_zero = 0;
  halves.weights = EncodeInt8({-5, 0, 0, 0, -5, 0}, {2, 3});
  Int8Graph negative(halves);
  EXPECT_EQ(negative.Run({12, 12, 0}), (std::vector<int>{-2, -2}));
}

TEST(Int8FullyConnectedOp, TakesBiasScalesOfChannelsAndActivation) {
  Settings s;
  s.options = {1, kInt8 | kPlainBias};  // ReLU
  s.scales = {0.5f, 2.0f};
  s.bias = {40, -1};
  Int8Graph graph(s);
  // -3 + 10, and 20 - 1.
  EXPECT_EQ(graph.Run({12, 14, 16}), (std::vector<int>{-2 + 7, -2 + 19}));
  // -3 + 10, and -20 - 1.
  EXPECT_EQ(graph.Run({12, 6, 16}), (std::vector<int>{-2 + 7, -2}));
}

TEST(Int8FullyConnectedOp, FollowsTheBatch) {
  Settings s;
  s.options = {0, kInt8 | kTwoInputs};
  Int8Graph graph(s);
  EXPECT_EQ(graph.Run({12, 14, 16}), (std::vector<int>{-5, 3}));
  graph.runtime.Resize(graph.input, {4, 3});
  EXPECT_EQ(graph.Run({12, 14, 16, 10, 10, 10, 10, 12, 10, 12, 14, 16}),
            (std::vector<int>{-5, 3, -2, -2, -2, 1, -5, 3}));
}

TEST(Int8Conv2DOp, PadsWithTheZeroPoint) {
  Settings s;
  s.op = "KerasDcConv2D";
  // Two filters of 1 x 3: the sum of neighbours, and the right one.
  s.weights = EncodeInt8({2, 0, 2, 0, 0, 1}, {2, 1, 3, 1});
  s.input_dims = {1, 1, 3, 1};
  s.input_scale = 1.0f;
  s.output_zero = 0;
  Int8Graph graph(s);
  // Inputs 1, 3, 5.
  EXPECT_EQ(graph.Run({11, 13, 15}), (std::vector<int>{3, 2, 6, 3, 3, 0}));
  EXPECT_EQ(graph.Run({9, 7, 5}), (std::vector<int>{-3, -1, -6, -2, -3, 0}));
}

TEST(Int8Conv2DOp, RoundsTwice) {
  Settings s;
  s.op = "KerasDcConv2D";
  s.weights = EncodeInt8({5, -6}, {2, 1, 1, 1});
  s.input_dims = {1, 1, 1, 1};
  s.output_zero = 0;
  // 1.25 becomes 1.5, and then 2; -1.5 goes away from zero.
  Int8Graph graph(s);
  EXPECT_EQ(graph.Run({11}), (std::vector<int>{2, -2}));
}

TEST(Int8FullyConnectedOp, QuantizesFloatInputs) {
  for (const uint8_t flags :
       {kInt8, static_cast<uint8_t>(kInt8 | kAsymmetric)}) {
    Settings s;
    s.type = kTfLiteFloat32;
    s.options = {0, flags};
    Int8Graph graph(s);
    ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
    graph.runtime.SetFloats(graph.input, {1, 2, -3});
    ASSERT_EQ(graph.runtime.Invoke(), kTfLiteOk);
    const std::vector<float> y = graph.runtime.GetFloats(graph.output);
    EXPECT_NEAR(y[0], 1 + 4.5, 0.05);
    EXPECT_NEAR(y[1], 5, 0.05);
  }
}

TEST(Int8FullyConnectedOp, GivesNaNForARowThatIsNotFinite) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  Settings s;
  s.type = kTfLiteFloat32;
  s.input_dims = {2, 3};
  Int8Graph graph(s);
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
  graph.runtime.SetFloats(graph.input, {1, kInf, 1, 2, 0, 0});
  ASSERT_EQ(graph.runtime.Invoke(), kTfLiteOk);
  const std::vector<float> y = graph.runtime.GetFloats(graph.output);
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
  EXPECT_NEAR(y[2], 2, 0.02);
  EXPECT_EQ(y[3], 0);
}

void ExpectRefused(const Settings& settings, const std::string& reason) {
  Int8Graph graph(settings);
  EXPECT_EQ(graph.runtime.Allocate(), kTfLiteError) << reason;
  const std::string& errors = graph.runtime.errors();
  EXPECT_TRUE(Contains(errors, " 'scores': ")) << errors;
  EXPECT_TRUE(Contains(errors, reason)) << errors;
}

TEST(Int8FullyConnectedOp, RefusesWhatDisagrees) {
  Settings s;
  s.weights = EncodeFloats({1, 2, 3, 4, 5, 6}, {2, 3});
  ExpectRefused(s, "expected weights of INT8, the blob holds FLOAT32");
  s = Settings();
  s.options = {0};
  s.type = kTfLiteFloat32;
  ExpectRefused(s, "expected weights of FLOAT32, the blob holds INT8");
  s = Settings();
  s.type = kTfLiteUInt8;
  ExpectRefused(s, "expected the input as INT8 or both as FLOAT32, got UINT8");
  s = Settings();
  s.input_scale = 0.0f;
  ExpectRefused(s, "expected the input with a scale and a zero point");
  s = Settings();
  s.output_zero = 128;
  ExpectRefused(s, "expected the output with a scale and a zero point");
  s = Settings();
  s.scales = {1, 2, 3};
  ExpectRefused(s, "the scales shape [3] does not fit");
  s = Settings();
  s.scales = {1, -2};
  ExpectRefused(s, "expected scales of weights that are numbers from 0 on");
  s.scales = {1, std::numeric_limits<float>::quiet_NaN()};
  ExpectRefused(s, "expected scales of weights that are numbers from 0 on");
  s = Settings();
  s.scales = {1, 1e30f};
  ExpectRefused(s, "too large for the output's");
  s = Settings();
  s.bias = {1, 2, 3};
  ExpectRefused(s, "the bias shape [3] does not fit");
  s = Settings();
  s.options = {4, kInt8};
  ExpectRefused(s, "the fused activation 4 has no bounds in INT8");
  s = Settings();
  s.options = {3, kInt8};
  s.output_scale = 1e-30f;
  ExpectRefused(s, "the fused activation 3 has no bounds in INT8");
  s = Settings();
  s.weights = EncodeInt8({7, 7, 7, 7, 7, 9}, {2, 3}, 7);
  ExpectRefused(s, "expected weights whose zero point is 0");
}

TEST(Int8FullyConnectedOp, RefusesComputedScales) {
  FakeRuntime runtime;
  const int input = runtime.AddTensor(kTfLiteInt8, {1, 3}, "input");
  const int blob = runtime.AddBlob(Settings().weights);
  const int scales = runtime.AddTensor(kTfLiteFloat32, {2}, "scales");
  const int output = runtime.AddTensor(kTfLiteInt8, {1, 2}, "scores");
  runtime.tensor(input).params = runtime.tensor(output).params = {1.0f, 0};
  const TfLiteRegistration op =
      MakeRegistration(*FindCustomOp("KerasDcFullyConnected"));
  runtime.AddNode("KerasDcFullyConnected", &op, {input, blob, -1, scales},
                  {output}, {0, kInt8});
  EXPECT_EQ(runtime.Allocate(), kTfLiteError);
  EXPECT_TRUE(Contains(runtime.errors(), "expected the scales as a constant"));
}

}  // namespace
}  // namespace keras_dc
