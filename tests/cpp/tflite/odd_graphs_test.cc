// Graphs that parse and are odd: outputs that nobody reads, tensors without
// memory, tensors that are written twice. Ops compute, skip or refuse.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fake_runtime.h"
#include "keras_dc/delegate.h"
#include "tflite/op_table.h"

namespace keras_dc {
namespace {

std::vector<uint8_t> DenseBlob() {
  return EncodeFloats({0, 2, 0, 1, 0, -1}, {2, 3});
}
std::vector<uint8_t> KernelBlob() {
  return EncodeFloats({2, 0, 0, 0}, {1, 2, 2, 1});
}

enum class Way { kResolver, kDelegate, kLowMemoryDelegate };

// A graph whose ops a resolver or a delegate makes.
class OddGraphs : public testing::TestWithParam<Way> {
 protected:
  ~OddGraphs() override {
    if (delegate_ == nullptr) return;
    runtime_.UndoDelegate();
    tflite_plugin_destroy_delegate(delegate_);
  }

  void AddNode(const char* op, const std::vector<int>& inputs,
               const std::vector<int>& outputs) {
    const TfLiteRegistration registration = MakeRegistration(*FindCustomOp(op));
    runtime_.AddNode(op, GetParam() == Way::kResolver ? &registration : nullptr,
                     inputs, outputs);
  }

  // input [1, 3] -> KerasDcFullyConnected -> output [1, 2].
  void AddDense() {
    input_ = runtime_.AddTensor(kTfLiteFloat32, {1, 3}, "input");
    blob_ = runtime_.AddBlob(DenseBlob());
    bias_ = runtime_.AddTensor(kTfLiteFloat32, {2}, "bias");
    output_ = runtime_.AddTensor(kTfLiteFloat32, {1, 2}, "output");
    AddNode("KerasDcFullyConnected", {input_, blob_, bias_}, {output_});
  }

  TfLiteStatus ApplyDelegate() {
    char key[] = "low_memory", value[] = "true";
    char *keys[] = {key}, *values[] = {value};
    const size_t num_options = GetParam() == Way::kLowMemoryDelegate ? 1 : 0;
    delegate_ =
        tflite_plugin_create_delegate(keys, values, num_options, nullptr);
    return runtime_.ApplyDelegate(delegate_);
  }

  TfLiteStatus Allocate() {
    if (GetParam() != Way::kResolver) {
      EXPECT_EQ(ApplyDelegate(), kTfLiteOk);
    }
    return runtime_.Allocate();
  }

  void ExpectRefusedByDelegate() {
    ExpectRefused(ApplyDelegate(),
                  "an op of the graph waits for its own output");
  }

  void ExpectRefused(TfLiteStatus status, const std::string& reason) {
    EXPECT_EQ(status, kTfLiteError) << reason;
    EXPECT_TRUE(Contains(runtime_.errors(), reason)) << runtime_.errors();
    EXPECT_TRUE(Contains(runtime_.errors(), "KerasDc")) << runtime_.errors();
  }
  void ExpectRefusedInPrepare(const std::string& reason) {
    ExpectRefused(Allocate(), reason);
    // A program may call Invoke nevertheless.
    EXPECT_EQ(runtime_.Invoke(), kTfLiteError);
  }
  void ExpectRefusedInInvoke(const std::string& reason) {
    EXPECT_EQ(Allocate(), kTfLiteOk) << runtime_.errors();
    ExpectRefused(runtime_.Invoke(), reason);
  }

  FakeRuntime runtime_;
  TfLiteDelegate* delegate_ = nullptr;
  int input_ = 0, blob_ = 0, bias_ = 0, output_ = 0;
};

TEST_P(OddGraphs, UnreadOutputsAreSkipped) {
  const int image = runtime_.AddTensor(kTfLiteFloat32, {1, 2, 2, 1}, "image");
  const int kernel = runtime_.AddBlob(KernelBlob());
  const int features = runtime_.AddTensor(kTfLiteFloat32, {1, 2, 2, 1});
  AddNode("KerasDcConv2D", {image, kernel}, {features});
  const int decoded = runtime_.AddTensor(kTfLiteFloat32, {2, 3}, "decoded");
  AddNode("KerasDcDecode", {runtime_.AddBlob(DenseBlob())}, {decoded});
  AddDense();
  const int second = runtime_.AddTensor(kTfLiteFloat32, {1, 2}, "second");
  AddNode("KerasDcFullyConnected", {input_, blob_}, {second});
  runtime_.SetOutputs({output_});
  ASSERT_EQ(Allocate(), kTfLiteOk) << runtime_.errors();
  runtime_.SetFloats(input_, {1, 10, 100});
  runtime_.SetFloats(bias_, {0, 1});
  ASSERT_EQ(runtime_.Invoke(), kTfLiteOk) << runtime_.errors();
  EXPECT_EQ(runtime_.GetFloats(output_), (std::vector<float>{20, -98}));
}

TEST_P(OddGraphs, MissingMemoryIsRefused) {
  AddDense();
  runtime_.WithholdMemory(input_);
  ExpectRefusedInInvoke("the input has no memory: no op computes it");
}

TEST_P(OddGraphs, AMissingBiasIsRefused) {
  AddDense();
  runtime_.WithholdMemory(bias_);
  ExpectRefusedInInvoke("the bias has no memory: no op computes it");
}

TEST_P(OddGraphs, AnOutputWithoutMemoryIsRefused) {
  AddDense();
  runtime_.WithholdMemory(output_);
  ExpectRefusedInInvoke("the output has no memory");
}

TEST_P(OddGraphs, ABiasThatChangesItsSizeIsRefused) {
  AddDense();
  ASSERT_EQ(Allocate(), kTfLiteOk) << runtime_.errors();
  runtime_.Resize(bias_, {1});
  ExpectRefused(runtime_.Invoke(), "the shapes changed after AllocateTensors");
}

TEST_P(OddGraphs, AConvolutionWithoutAnInputIsRefused) {
  const int image = runtime_.AddTensor(kTfLiteFloat32, {1, 2, 2, 1}, "image");
  const int features = runtime_.AddTensor(kTfLiteFloat32, {1, 2, 2, 1});
  AddNode("KerasDcConv2D", {image, runtime_.AddBlob(KernelBlob())}, {features});
  runtime_.WithholdMemory(image);
  ExpectRefusedInInvoke("the input has no memory");
}

TEST_P(OddGraphs, AConstantOutputIsRefused) {
  AddDense();
  runtime_.SetBlob(output_, std::vector<uint8_t>(8));
  ExpectRefusedInPrepare("expected a computed output tensor, got a constant");
}

TEST_P(OddGraphs, AnOutputThatIsAnInputIsRefused) {
  const int x = runtime_.AddTensor(kTfLiteFloat32, {1, 2}, "x");
  const int square = runtime_.AddBlob(EncodeFloats({0, 1, 1, 0}, {2, 2}));
  AddNode("KerasDcFullyConnected", {x, square}, {x});
  if (GetParam() == Way::kResolver) {
    ExpectRefusedInPrepare("input 0 is the output, too");
  } else {
    ExpectRefusedByDelegate();
  }
}

TEST_P(OddGraphs, ABlobThatIsTheOutputIsRefused) {
  const int blob = runtime_.AddBlob(DenseBlob());
  AddNode("KerasDcDecode", {blob}, {blob});
  if (GetParam() == Way::kResolver) {
    ExpectRefused(Allocate(), "input 0 is the output, too");
  } else {
    ExpectRefusedByDelegate();
  }
}

TEST_P(OddGraphs, OneTensorMayBeWrittenTwice) {
  AddDense();
  AddNode("KerasDcFullyConnected", {input_, blob_}, {output_});
  ASSERT_EQ(Allocate(), kTfLiteOk) << runtime_.errors();
  runtime_.SetFloats(input_, {1, 10, 100});
  ASSERT_EQ(runtime_.Invoke(), kTfLiteOk) << runtime_.errors();
  EXPECT_EQ(runtime_.GetFloats(output_), (std::vector<float>{20, -99}));
}

TEST_P(OddGraphs, ATensorThatIsDecodedTwiceIsRefused) {
  const int decoded = runtime_.AddTensor(kTfLiteFloat32, {2, 3}, "decoded");
  AddNode("KerasDcDecode", {runtime_.AddBlob(DenseBlob())}, {decoded});
  AddNode("KerasDcDecode",
          {runtime_.AddBlob(EncodeFloats({1, 2, 3, 4, 5, 6}, {2, 3}))},
          {decoded});
  EXPECT_EQ(Allocate(), kTfLiteError);
  EXPECT_TRUE(Contains(runtime_.errors(), "got a constant"))
      << runtime_.errors();
}

TEST_P(OddGraphs, ADecodedOutputMustNotHaveMemoryOfItsOwn) {
  const int decoded = runtime_.AddTensor(kTfLiteFloat32, {2, 3}, "decoded");
  runtime_.tensor(decoded).allocation_type = kTfLiteDynamic;
  AddNode("KerasDcDecode", {runtime_.AddBlob(DenseBlob())}, {decoded});
  EXPECT_EQ(Allocate(), kTfLiteError);
  EXPECT_TRUE(Contains(runtime_.errors(), "expected a computed output"))
      << runtime_.errors();
}

TEST_P(OddGraphs, TensorsWithoutAShapeAreRefused) {
  AddDense();
  std::free(runtime_.tensor(output_).dims);
  runtime_.tensor(output_).dims = nullptr;
  ExpectRefusedInPrepare("the output has no shape");
}

TEST_P(OddGraphs, IndicesOutOfRangeAreRefused) {
  AddDense();
  AddNode("KerasDcFullyConnected", {input_, blob_, 1 << 30}, {output_});
  EXPECT_EQ(Allocate(), kTfLiteError);
  EXPECT_TRUE(Contains(runtime_.errors(), "input 2 does not exist"))
      << runtime_.errors();
}

TEST_P(OddGraphs, ANodeWithoutAnythingIsRefused) {
  for (const char* op :
       {"KerasDcFullyConnected", "KerasDcConv2D", "KerasDcDecode"}) {
    AddNode(op, {}, {});
    AddNode(op, {}, {-1});
    AddNode(op, {-1, -1, -1}, {-1, 5});
  }
  ExpectRefused(Allocate(), "expected");
}

INSTANTIATE_TEST_SUITE_P(EachWay, OddGraphs,
                         testing::Values(Way::kResolver, Way::kDelegate,
                                         Way::kLowMemoryDelegate));

TEST(OddPooling, AnUnreadOutputIsSkipped) {
  struct {
    int padding = 2, stride_width = 2, stride_height = 2;
    int filter_width = 2, filter_height = 2, activation = 0;
  } params;
  FakeRuntime runtime;
  const int image = runtime.AddTensor(kTfLiteFloat32, {1, 2, 2, 1}, "image");
  const int kernel = runtime.AddBlob(EncodeFloats({1}, {1, 1, 1, 1}));
  const int features = runtime.AddTensor(kTfLiteFloat32, {1, 2, 2, 1});
  const int pooled = runtime.AddTensor(kTfLiteFloat32, {1, 1, 1, 1});
  runtime.AddNode("KerasDcConv2D", nullptr, {image, kernel}, {features});
  runtime.AddBuiltin(17, &params, {features}, {pooled});
  runtime.SetOutputs({features});
  TfLiteDelegate* delegate =
      tflite_plugin_create_delegate(nullptr, nullptr, 0, nullptr);
  ASSERT_EQ(runtime.ApplyDelegate(delegate), kTfLiteOk);
  ASSERT_EQ(runtime.Allocate(), kTfLiteOk) << runtime.errors();
  runtime.SetFloats(image, {1, 2, 3, 4});
  ASSERT_EQ(runtime.Invoke(), kTfLiteOk) << runtime.errors();
  EXPECT_EQ(runtime.GetFloats(features), (std::vector<float>{1, 2, 3, 4}));
  runtime.UndoDelegate();
  tflite_plugin_destroy_delegate(delegate);
}

}  // namespace
}  // namespace keras_dc
