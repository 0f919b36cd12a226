// KerasDcConv2D by its registration.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fake_runtime.h"
#include "tflite/op_table.h"

namespace keras_dc {
namespace {

// 1 filter of 2 x 2, 1 channel: out = 2 * upper left - lower right.
std::vector<uint8_t> KernelBlob() {
  return EncodeFloats({2, 0, 0, -1}, {1, 2, 2, 1});
}

struct ConvGraph {
  // Not explicit: tables of refusals are written as braced lists.
  ConvGraph(const std::vector<uint8_t>& kernel,
            const std::vector<int>& input_dims = {1, 2, 3, 1},
            const std::vector<uint8_t>& options = {},
            const std::vector<uint8_t>& bias_blob = {}) {
    input = runtime.AddTensor(kTfLiteFloat32, input_dims, "input");
    blob = runtime.AddBlob(kernel);
    std::vector<int> inputs = {input, blob};
    if (!bias_blob.empty()) inputs.push_back(runtime.AddBlob(bias_blob));
    output = runtime.AddTensor(kTfLiteFloat32, {1, 1, 1, 1}, "scores");
    const TfLiteRegistration op =
        MakeRegistration(*FindCustomOp("KerasDcConv2D"));
    runtime.AddNode("KerasDcConv2D", &op, inputs, {output}, options);
  }

  std::vector<float> Run(const std::vector<float>& values) {
    EXPECT_EQ(runtime.Allocate(), kTfLiteOk) << runtime.errors();
    runtime.SetFloats(input, values);
    EXPECT_EQ(runtime.Invoke(), kTfLiteOk) << runtime.errors();
    return runtime.GetFloats(output);
  }

  FakeRuntime runtime;
  int input, blob, output;
};

TEST(Conv2DOp, ComputesByHandWithSamePadding) {
  ConvGraph graph(KernelBlob());
  EXPECT_EQ(graph.Run({1, 2, 3, 10, 20, 30}),
            (std::vector<float>{2 - 20, 4 - 30, 6, 20, 40, 60}));
  EXPECT_EQ(graph.runtime.Dims(graph.output), (std::vector<int>{1, 2, 3, 1}));
}

TEST(Conv2DOp, ComputesByHandWithValidPaddingBiasAndActivation) {
  ConvGraph graph(KernelBlob(), {1, 2, 3, 1}, {1, 1}, EncodeFloats({19}, {1}));
  EXPECT_EQ(graph.Run({1, 2, 3, 10, 20, 30}), (std::vector<float>{1, 0}));
  EXPECT_EQ(graph.runtime.Dims(graph.output), (std::vector<int>{1, 1, 2, 1}));
}

TEST(Conv2DOp, ReadsStridesAndDilationsLessOne) {
  const std::vector<int> dims = {1, 5, 9, 1};
  ConvGraph strided(KernelBlob(), dims, {0, 1, 7, 1, 2});
  ASSERT_EQ(strided.runtime.Allocate(), kTfLiteOk) << strided.runtime.errors();
  EXPECT_EQ(strided.runtime.Dims(strided.output),
            (std::vector<int>{1, 2, 3, 1}));
  ConvGraph dilated(KernelBlob(), dims, {0, 1, 0, 0, 0, 1, 2});
  ASSERT_EQ(dilated.runtime.Allocate(), kTfLiteOk) << dilated.runtime.errors();
  EXPECT_EQ(dilated.runtime.Dims(dilated.output),
            (std::vector<int>{1, 3, 6, 1}));
  ConvGraph same(KernelBlob(), dims, {0, 0, 0, 1, 1});
  ASSERT_EQ(same.runtime.Allocate(), kTfLiteOk) << same.runtime.errors();
  EXPECT_EQ(same.runtime.Dims(same.output), (std::vector<int>{1, 3, 5, 1}));
}

TEST(Conv2DOp, FollowsTheInputSizeAndDecodesOnce) {
  ConvGraph graph(KernelBlob());
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  // Were it read again, the blob would be refused.
  *graph.runtime.tensor(graph.blob).data.raw ^= 1;
  graph.runtime.Resize(graph.input, {2, 1, 1, 1});
  EXPECT_EQ(graph.Run({3, 5}), (std::vector<float>{6, 10}));
  graph.runtime.Resize(graph.input, {0, 4, 4, 1});
  EXPECT_EQ(graph.Run({}), (std::vector<float>{}));
}

TEST(Conv2DOp, RefusesShapesThatChangedAfterPrepare) {
  ConvGraph graph(KernelBlob());
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  graph.runtime.Resize(graph.input, {1, 50, 50, 1});
  EXPECT_EQ(graph.runtime.Invoke(), kTfLiteError);
  EXPECT_TRUE(Contains(graph.runtime.errors(), "shapes changed"));
}

void ExpectRefused(ConvGraph&& graph, const std::string& reason) {
  EXPECT_EQ(graph.runtime.Allocate(), kTfLiteError) << reason;
  const std::string& errors = graph.runtime.errors();
  EXPECT_TRUE(Contains(errors, "KerasDcConv2D 'scores': ")) << errors;
  EXPECT_TRUE(Contains(errors, reason)) << errors;
}

TEST(Conv2DOp, RefusesWhatDisagrees) {
  const std::vector<int> dims = {1, 2, 3, 1};
  ExpectRefused({KernelBlob(), dims, {5}}, "unknown fused activation 5");
  ExpectRefused({KernelBlob(), dims, {0, 2}}, "unknown padding 2");
  ExpectRefused({KernelBlob(), dims, std::vector<uint8_t>(9)},
                "at most 8 bytes of custom options, got 9");
  ExpectRefused({KernelBlob(), {1, 2, 3, 2}}, "grouped convolution");
  ExpectRefused({EncodeFloats({1, 2}, {1, 1, 1, 2}), {1, 2, 3, 3}},
                "[1, 2, 3, 3] does not fit a kernel of shape [1, 1, 1, 2]");
  ExpectRefused({KernelBlob(), {2, 3, 1}}, "[2, 3, 1] does not fit");
  ExpectRefused({KernelBlob(), {1, 1, 3, 1}, {0, 1}}, "without padding");
  ExpectRefused({KernelBlob(), {1, 60000, 60000, 1}}, "out of range");
  ExpectRefused({KernelBlob(), dims, {}, EncodeFloats({1, 2}, {2})},
                "the bias shape [2]");
  ExpectRefused({EncodeFloats({1, 2}, {1, 2})},
                "[filters, height, width, channels]");
  ExpectRefused({EncodeFloats({}, {1, 0, 2, 1})},
                "[filters, height, width, channels]");
  ExpectRefused({EncodeFloats(std::vector<float>(4097), {1, 1, 4097, 1}), dims},
                "[1, 1, 4097, 1] reaches too far");
  ExpectRefused(
      {EncodeFloats(std::vector<float>(256 * 257), {1, 256, 257, 1}), dims},
      "[1, 256, 257, 1] reaches too far");
}

TEST(Conv2DOp, RefusesEveryTruncatedOrDamagedBlob) {
  const std::vector<uint8_t> blob = KernelBlob();
  for (size_t size = 0; size < blob.size(); ++size) {
    ExpectRefused(ConvGraph(std::vector<uint8_t>(
                      blob.begin(), blob.begin() + static_cast<long>(size))),
                  "cannot decode the blob");
  }
  for (size_t i = 0; i < blob.size(); ++i) {
    std::vector<uint8_t> damaged = blob;
    damaged[i] ^= 0x10;
    ExpectRefused(ConvGraph(damaged), "cannot decode the blob");
  }
}

}  // namespace
}  // namespace keras_dc
