// Ops by their registrations, as an op resolver gives them to a runtime.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/crc32.h"
#include "fake_runtime.h"
#include "tflite/op_table.h"

namespace keras_dc {
namespace {

// 2 units, 3 inputs.
const std::vector<float> kWeights = {0, 2, 0, 1, 0, -1};

std::vector<uint8_t> WeightsBlob() { return EncodeFloats(kWeights, {2, 3}); }

// One KerasDcFullyConnected.
struct FullyConnectedGraph {
  // Not explicit: tables of refusals are written as braced lists.
  FullyConnectedGraph(const std::vector<uint8_t>& blob_bytes,
                      const std::vector<int>& input_dims = {1, 3},
                      const std::vector<uint8_t>& options = {},
                      int bias_units = 0,
                      const std::vector<uint8_t>& bias_blob = {}) {
    input = runtime.AddTensor(kTfLiteFloat32, input_dims, "input");
    blob = runtime.AddBlob(blob_bytes);
    std::vector<int> inputs = {input, blob};
    if (bias_units > 0) {
      bias = runtime.AddTensor(kTfLiteFloat32, {bias_units}, "bias");
      inputs.push_back(bias);
    }
    if (!bias_blob.empty()) {
      bias = runtime.AddBlob(bias_blob);
      inputs.push_back(bias);
    }
    output = runtime.AddTensor(kTfLiteFloat32, {1, 2}, "scores");
    const TfLiteRegistration op =
        MakeRegistration(*FindCustomOp("KerasDcFullyConnected"));
    runtime.AddNode("KerasDcFullyConnected", &op, inputs, {output}, options);
  }

  FakeRuntime runtime;
  int input, blob, bias = -1, output;
};

TEST(FullyConnectedOp, ComputesByHand) {
  FullyConnectedGraph graph(WeightsBlob());
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
  graph.runtime.SetFloats(graph.input, {1, 10, 100});
  ASSERT_EQ(graph.runtime.Invoke(), kTfLiteOk);
  EXPECT_EQ(graph.runtime.GetFloats(graph.output),
            (std::vector<float>{20, -99}));
}

// 2 x 10^9 weights of one value take no bits, and would take 10 GB decoded.
std::vector<uint8_t> HugeBlob() {
  std::vector<uint8_t> blob = {0x4b, 0x44, 0x43, 0x01, 0x00, 0x01,
                               0x02, 0x02, 0x80, 0x94, 0xeb, 0xdc,
                               0x03, 0x00, 0x00, 0x00, 0x80, 0x3f};
  const uint32_t checksum = Crc32(blob.data(), blob.size());
  for (int i = 0; i < 4; ++i) {
    blob.push_back(static_cast<uint8_t>(checksum >> (8 * i)));
  }
  return blob;
}

TEST(FullyConnectedOp, AnEmptyBatchDecodesNothing) {
  FullyConnectedGraph graph(HugeBlob(), {0, 1000000000});
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
  EXPECT_EQ(graph.runtime.Dims(graph.output), (std::vector<int>{0, 2}));
  EXPECT_EQ(graph.runtime.Invoke(), kTfLiteOk);
}

TEST(FullyConnectedOp, AddsBiasAndActivates) {
  FullyConnectedGraph graph(WeightsBlob(), {1, 3}, {1, 0, 9}, 2);
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
  graph.runtime.SetFloats(graph.input, {1, 10, 100});
  graph.runtime.SetFloats(graph.bias, {0.5f, 0.5f});
  ASSERT_EQ(graph.runtime.Invoke(), kTfLiteOk);
  EXPECT_EQ(graph.runtime.GetFloats(graph.output),
            (std::vector<float>{20.5f, 0}));
}

TEST(FullyConnectedOp, DecodesABiasBlob) {
  FullyConnectedGraph graph(WeightsBlob(), {1, 3}, {}, 0,
                            EncodeFloats({0.5f, -0.25f}, {2}));
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
  graph.runtime.SetFloats(graph.input, {1, 10, 100});
  ASSERT_EQ(graph.runtime.Invoke(), kTfLiteOk);
  EXPECT_EQ(graph.runtime.GetFloats(graph.output),
            (std::vector<float>{20.5f, -99.25f}));
}

TEST(FullyConnectedOp, DecodesABiasBlobOnce) {
  FullyConnectedGraph graph(WeightsBlob(), {1, 3}, {}, 0,
                            EncodeFloats({0.5f, -0.25f}, {2}));
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
  // Were it read again, the blob would be refused.
  *graph.runtime.tensor(graph.bias).data.raw ^= 1;
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
  graph.runtime.SetFloats(graph.input, {0, 0, 0});
  ASSERT_EQ(graph.runtime.Invoke(), kTfLiteOk);
  EXPECT_EQ(graph.runtime.GetFloats(graph.output),
            (std::vector<float>{0.5f, -0.25f}));
}

TEST(FullyConnectedOp, DecodesAnotherBiasBlobAgain) {
  FullyConnectedGraph graph(WeightsBlob(), {1, 3}, {}, 0,
                            EncodeFloats({0.5f, -0.25f}, {2}));
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  graph.runtime.SetBlob(graph.bias, EncodeFloats({3, 4}, {2}));
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
  graph.runtime.SetFloats(graph.input, {0, 0, 0});
  ASSERT_EQ(graph.runtime.Invoke(), kTfLiteOk);
  EXPECT_EQ(graph.runtime.GetFloats(graph.output), (std::vector<float>{3, 4}));
}

TEST(FullyConnectedOp, ShapesTheOutputAsTheBuiltInOpDoes) {
  FullyConnectedGraph flat(WeightsBlob(), {2, 2, 3});
  ASSERT_EQ(flat.runtime.Allocate(), kTfLiteOk);
  EXPECT_EQ(flat.runtime.Dims(flat.output), (std::vector<int>{4, 2}));

  FullyConnectedGraph kept(WeightsBlob(), {2, 2, 3}, {0, 1});
  ASSERT_EQ(kept.runtime.Allocate(), kTfLiteOk);
  EXPECT_EQ(kept.runtime.Dims(kept.output), (std::vector<int>{2, 2, 2}));

  FullyConnectedGraph empty(WeightsBlob(), {0, 3});
  ASSERT_EQ(empty.runtime.Allocate(), kTfLiteOk);
  EXPECT_EQ(empty.runtime.Dims(empty.output), (std::vector<int>{0, 2}));
  EXPECT_EQ(empty.runtime.Invoke(), kTfLiteOk);
}

TEST(FullyConnectedOp, DecodesOnce) {
  FullyConnectedGraph graph(WeightsBlob());
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  // Were it read again, the blob would be refused.
  *graph.runtime.tensor(graph.blob).data.raw ^= 1;
  graph.runtime.Resize(graph.input, {2, 3});
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  graph.runtime.SetFloats(graph.input, {1, 10, 100, 0, 1, 0});
  ASSERT_EQ(graph.runtime.Invoke(), kTfLiteOk);
  EXPECT_EQ(graph.runtime.GetFloats(graph.output),
            (std::vector<float>{20, -99, 2, 0}));
}

TEST(FullyConnectedOp, DecodesAnotherBlobAgain) {
  FullyConnectedGraph graph(WeightsBlob());
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  graph.runtime.SetBlob(graph.blob, EncodeFloats({1, 1, 1, 2, 2, 2}, {2, 3}));
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
  graph.runtime.SetFloats(graph.input, {1, 10, 100});
  ASSERT_EQ(graph.runtime.Invoke(), kTfLiteOk);
  EXPECT_EQ(graph.runtime.GetFloats(graph.output),
            (std::vector<float>{111, 222}));
}

TEST(FullyConnectedOp, RefusesABlobOfOtherUnitsThanTheOutput) {
  FullyConnectedGraph graph(WeightsBlob());
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  graph.runtime.SetBlob(graph.blob, EncodeFloats({1, 1, 1}, {1, 3}));
  EXPECT_EQ(graph.runtime.Allocate(), kTfLiteError);
  EXPECT_TRUE(Contains(graph.runtime.errors(), "1 output channels"))
      << graph.runtime.errors();
}

TEST(FullyConnectedOp, RefusesShapesThatChangedAfterPrepare) {
  FullyConnectedGraph graph(WeightsBlob());
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  graph.runtime.Resize(graph.input, {50, 3});
  EXPECT_EQ(graph.runtime.Invoke(), kTfLiteError);
  EXPECT_TRUE(Contains(graph.runtime.errors(), "shapes changed"))
      << graph.runtime.errors();
}

void ExpectRefused(FakeRuntime* runtime, const std::string& reason,
                   const std::string& label) {
  EXPECT_EQ(runtime->Allocate(), kTfLiteError) << reason;
  EXPECT_TRUE(Contains(runtime->errors(), label)) << runtime->errors();
  EXPECT_TRUE(Contains(runtime->errors(), reason)) << runtime->errors();
}

void ExpectRefused(FullyConnectedGraph&& graph, const std::string& reason) {
  ExpectRefused(&graph.runtime, reason, "KerasDcFullyConnected 'scores': ");
}

TEST(FullyConnectedOp, RefusesMalformedOptions) {
  ExpectRefused({WeightsBlob(), {1, 3}, {5}}, "unknown fused activation 5");
  ExpectRefused({WeightsBlob(), {1, 3}, std::vector<uint8_t>(9)},
                "at most 8 bytes of custom options, got 9");
}

TEST(FullyConnectedOp, RefusesShapesThatDisagree) {
  ExpectRefused({WeightsBlob(), {1, 4}}, "[1, 4] does not fit");
  ExpectRefused({WeightsBlob(), {3, 1}, {0, 1}}, "[3, 1] does not fit");
  ExpectRefused({WeightsBlob(), {}, {0, 1}}, "[] does not fit");
  ExpectRefused({WeightsBlob(), {1, 3}, {}, 3}, "the bias shape [3]");
  ExpectRefused({EncodeFloats(kWeights, {6})}, "[units, input_size]");
  ExpectRefused({EncodeFloats({}, {2, 0})}, "[units, input_size]");
}

TEST(FullyConnectedOp, RefusesBiasBlobsThatDisagree) {
  const auto refuse = [](const std::vector<uint8_t>& bias,
                         const std::string& reason) {
    ExpectRefused({WeightsBlob(), {1, 3}, {}, 0, bias}, reason);
  };
  refuse(EncodeFloats({1, 2, 3}, {3}), "the bias shape [3]");
  refuse(EncodeFloats({1, 2}, {1, 2}), "the bias shape [1, 2]");
  const std::vector<uint8_t> blob = EncodeFloats({1, 2}, {2});
  for (size_t size = 1; size < blob.size(); ++size) {
    refuse({blob.begin(), blob.begin() + static_cast<long>(size)},
           "bias: cannot decode the blob");
  }
  const int8_t bytes[] = {1, 2};
  const int64_t shape[] = {2};
  kdc_bytes* integers = nullptr;
  ASSERT_EQ(kdc_encode(bytes, KDC_INT8, shape, 1, &integers), KDC_OK);
  refuse(TakeBytes(integers),
         "expected the bias as FLOAT32, the blob holds INT8");
}

TEST(FullyConnectedOp, RefusesOtherTypes) {
  FullyConnectedGraph graph(WeightsBlob());
  graph.runtime.tensor(graph.output).type = kTfLiteInt8;
  ExpectRefused(&graph.runtime, "expected the output as FLOAT32, got INT8",
                "KerasDcFullyConnected 'scores': ");
}

TEST(FullyConnectedOp, RefusesEveryTruncatedOrDamagedBlob) {
  const std::vector<uint8_t> blob = WeightsBlob();
  for (size_t size = 0; size < blob.size(); ++size) {
    ExpectRefused({std::vector<uint8_t>(
                      blob.begin(), blob.begin() + static_cast<long>(size))},
                  "cannot decode the blob");
  }
  for (size_t i = 0; i < blob.size(); ++i) {
    std::vector<uint8_t> damaged = blob;
    damaged[i] ^= 0x10;
    ExpectRefused(FullyConnectedGraph(damaged), "cannot decode the blob");
  }
}

TEST(FullyConnectedOp, RefusesMissingTensors) {
  for (const std::vector<int>& inputs :
       {std::vector<int>{0}, {0, 1, -1, -1}, {-1, 1}, {0, -1}, {0, 99}}) {
    FakeRuntime runtime;
    runtime.AddTensor(kTfLiteFloat32, {1, 3});
    runtime.AddBlob(WeightsBlob());
    const int output = runtime.AddTensor(kTfLiteFloat32, {1, 2}, "scores");
    const TfLiteRegistration op =
        MakeRegistration(*FindCustomOp("KerasDcFullyConnected"));
    runtime.AddNode("KerasDcFullyConnected", &op, inputs, {output});
    ExpectRefused(&runtime, "input", "KerasDcFullyConnected 'scores': ");
  }
}

// One KerasDcDecode.
struct DecodeGraph {
  explicit DecodeGraph(const std::vector<uint8_t>& blob_bytes,
                       const std::vector<int>& dims = {2, 3},
                       int type = kTfLiteFloat32) {
    blob = runtime.AddBlob(blob_bytes);
    output = runtime.AddTensor(type, dims, "kernel");
    const TfLiteRegistration op =
        MakeRegistration(*FindCustomOp("KerasDcDecode"));
    runtime.AddNode("KerasDcDecode", &op, {blob}, {output});
  }

  FakeRuntime runtime;
  int blob, output;
};

TEST(DecodeOp, MakesItsOutputAConstant) {
  DecodeGraph graph(WeightsBlob());
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
  EXPECT_EQ(graph.runtime.tensor(graph.output).allocation_type, kTfLiteMmapRo);
  EXPECT_EQ(graph.runtime.GetFloats(graph.output), kWeights);
  EXPECT_EQ(graph.runtime.Invoke(), kTfLiteOk);
  EXPECT_EQ(graph.runtime.GetFloats(graph.output), kWeights);
}

TEST(DecodeOp, DecodesOnce) {
  DecodeGraph graph(WeightsBlob());
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  const char* memory = graph.runtime.tensor(graph.output).data.raw;
  *graph.runtime.tensor(graph.blob).data.raw ^= 1;
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  EXPECT_EQ(graph.runtime.tensor(graph.output).data.raw, memory);
}

TEST(DecodeOp, DecodesAnotherBlobAgain) {
  DecodeGraph graph(WeightsBlob());
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  const std::vector<float> other = {1, 2, 3, 4, 5, 6};
  graph.runtime.SetBlob(graph.blob, EncodeFloats(other, {2, 3}));
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk) << graph.runtime.errors();
  EXPECT_EQ(graph.runtime.GetFloats(graph.output), other);
}

TEST(DecodeOp, KeepsItsOutputWhenTheNextBlobIsBad) {
  DecodeGraph graph(WeightsBlob());
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteOk);
  graph.runtime.SetBlob(graph.blob, {1, 2, 3});
  ASSERT_EQ(graph.runtime.Allocate(), kTfLiteError);
  EXPECT_EQ(graph.runtime.GetFloats(graph.output), kWeights);
}

TEST(DecodeOp, RefusesWhatDisagreesWithItsOutput) {
  const std::string label = "KerasDcDecode 'kernel': ";
  DecodeGraph shape(WeightsBlob(), {3, 2});
  ExpectRefused(&shape.runtime,
                "the blob holds shape [2, 3], the output tensor has [3, 2]",
                label);
  DecodeGraph rank(WeightsBlob(), {2, 3, 1});
  ExpectRefused(&rank.runtime, "shape", label);
  DecodeGraph type(WeightsBlob(), {2, 3}, kTfLiteInt8);
  ExpectRefused(&type.runtime,
                "the blob holds FLOAT32, the output tensor is INT8", label);
  DecodeGraph constant(WeightsBlob());
  constant.runtime.SetBlob(constant.output, std::vector<uint8_t>(24));
  ExpectRefused(&constant.runtime, "got a constant", label);
  DecodeGraph variable(WeightsBlob());
  variable.runtime.tensor(variable.output).is_variable = true;
  ExpectRefused(&variable.runtime, "variable", label);
}

// AddressSanitizer would refuse to allocate what the blob declares.
TEST(DecodeOp, RefusesAHugeBlobBeforeItAllocates) {
  DecodeGraph graph(HugeBlob());
  ExpectRefused(&graph.runtime,
                "the blob holds shape [2, 1000000000], the output tensor has "
                "[2, 3]",
                "KerasDcDecode 'kernel': ");
}

TEST(DecodeOp, RefusesABlobThatIsComputed) {
  DecodeGraph graph(WeightsBlob());
  graph.runtime.tensor(graph.blob).allocation_type = kTfLiteArenaRw;
  ExpectRefused(&graph.runtime, "expected the blob as a constant",
                "KerasDcDecode 'kernel': ");
}

TEST(DecodeOp, RefusesEveryTruncatedBlob) {
  const std::vector<uint8_t> blob = WeightsBlob();
  for (size_t size = 0; size < blob.size(); ++size) {
    DecodeGraph graph(std::vector<uint8_t>(
        blob.begin(), blob.begin() + static_cast<long>(size)));
    ExpectRefused(&graph.runtime, "cannot decode the blob",
                  "KerasDcDecode 'kernel': ");
  }
}

}  // namespace
}  // namespace keras_dc
