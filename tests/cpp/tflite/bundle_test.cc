// Ops that read their blobs from a bundle.
#include "tflite/bundle.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/bit_stream.h"
#include "fake_runtime.h"
#include "tflite/op_table.h"

namespace keras_dc {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes BundleOf(const std::vector<Bytes>& blobs) {
  Bytes bundle = {0x4b, 0x44, 0x42, 1};
  for (const Bytes& blob : blobs) {
    WriteVarint(blob.size(), &bundle);
    bundle.insert(bundle.end(), blob.begin(), blob.end());
  }
  return bundle;
}

// Two layers of 1 unit and 2 inputs, each with its bias.
const std::vector<Bytes> kBlobs = {
    EncodeFloats({1, 2}, {1, 2}), EncodeFloats({0.5f}, {1}),
    EncodeFloats({3, 4}, {1, 2}), EncodeFloats({0.25f}, {1})};

// A node of `op` with these blobs; what it computes from (1, 10).
struct Node {
  Node(const char* op, const std::vector<Bytes>& blobs, const Bytes& options) {
    std::vector<int> inputs;
    if (std::string(op) != "KerasDcDecode") {
      inputs.push_back(runtime.AddTensor(kTfLiteFloat32, {1, 2}, "x"));
    }
    for (const Bytes& blob : blobs) inputs.push_back(runtime.AddBlob(blob));
    const bool is_decode = inputs.size() == blobs.size();
    y = runtime.AddTensor(kTfLiteFloat32, {1, is_decode ? 2 : 1}, "y");
    const TfLiteRegistration registration = MakeRegistration(*FindCustomOp(op));
    runtime.AddNode(op, &registration, inputs, {y}, options);
    if (!is_decode) x = inputs[0];
  }

  std::vector<float> Run() {
    EXPECT_EQ(runtime.Allocate(), kTfLiteOk) << runtime.errors();
    if (x >= 0) runtime.SetFloats(x, {1, 10});
    EXPECT_EQ(runtime.Invoke(), kTfLiteOk) << runtime.errors();
    return runtime.GetFloats(y);
  }

  FakeRuntime runtime;
  int x = -1, y;
};

constexpr char kDense[] = "KerasDcFullyConnected";

TEST(Bundle, WeightsAndThenTheirBiasAreAtThePlace) {
  const Bytes bundle = BundleOf(kBlobs);
  EXPECT_EQ(Node(kDense, {bundle, bundle}, {}).Run(),
            (std::vector<float>{21.5f}));
  EXPECT_EQ(Node(kDense, {bundle, bundle}, {0, 0, 0, 2}).Run(),
            (std::vector<float>{43.25f}));
  EXPECT_EQ(Node(kDense, {bundle}, {0, 0, 0, 2}).Run(),
            (std::vector<float>{43}));
}

TEST(Bundle, OneOfTheTwoMayBeABlobAlone) {
  const Bytes bundle = BundleOf(kBlobs);
  EXPECT_EQ(Node(kDense, {kBlobs[2], bundle}, {0, 0, 0, 1}).Run(),
            (std::vector<float>{43.5f}));
  EXPECT_EQ(Node(kDense, {bundle, kBlobs[1]}, {0, 0, 0, 2}).Run(),
            (std::vector<float>{43.5f}));
}

TEST(Bundle, DecodeHasThePlaceAsItsOption) {
  EXPECT_EQ(Node("KerasDcDecode", {BundleOf(kBlobs)}, {2}).Run(),
            (std::vector<float>{3, 4}));
}

TEST(Bundle, ConvolutionsHaveThePlaceAsTheirLastOption) {
  FakeRuntime runtime;
  const Bytes bundle = BundleOf(
      {kBlobs[0], EncodeFloats({3}, {1, 1, 1, 1}), EncodeFloats({0.25f}, {1})});
  const int x = runtime.AddTensor(kTfLiteFloat32, {1, 1, 2, 1}, "x");
  const int kernel = runtime.AddBlob(bundle), bias = runtime.AddBlob(bundle);
  const int y = runtime.AddTensor(kTfLiteFloat32, {1, 1, 2, 1}, "y");
  const TfLiteRegistration registration =
      MakeRegistration(*FindCustomOp("KerasDcConv2D"));
  runtime.AddNode("KerasDcConv2D", &registration, {x, kernel, bias}, {y},
                  {0, 0, 0, 0, 0, 0, 0, 1});
  ASSERT_EQ(runtime.Allocate(), kTfLiteOk) << runtime.errors();
  runtime.SetFloats(x, {1, 10});
  ASSERT_EQ(runtime.Invoke(), kTfLiteOk);
  EXPECT_EQ(runtime.GetFloats(y), (std::vector<float>{3.25f, 30.25f}));
}

void ExpectRefused(const std::vector<Bytes>& blobs, const Bytes& options,
                   const std::string& reason) {
  Node node(kDense, blobs, options);
  EXPECT_EQ(node.runtime.Allocate(), kTfLiteError) << reason;
  const std::string& errors = node.runtime.errors();
  EXPECT_TRUE(Contains(errors, reason)) << errors;
}

TEST(Bundle, RefusesPlacesWithoutABlob) {
  const Bytes bundle = BundleOf(kBlobs);
  ExpectRefused({bundle}, {0, 0, 0, 4},
                "a bundle with a blob at place 4, its bytes end at place 4");
  ExpectRefused({bundle}, {0, 0, 0, 255}, "end at place 4");
  const Bytes two = BundleOf({kBlobs[0], kBlobs[2]});
  ExpectRefused({two, two}, {0, 0, 0, 1}, "bias: expected a bundle with");
  ExpectRefused({BundleOf({})}, {}, "end at place 0");
}

TEST(Bundle, RefusesSizesThatLeadOutside) {
  Bytes cut = BundleOf({kBlobs[0]});
  cut.pop_back();
  ExpectRefused({cut}, {}, "end at place 0");
  ExpectRefused({{0x4b, 0x44, 0x42, 1, 0x80, 0}}, {}, "end at place 0");
  ExpectRefused({{0x4b, 0x44, 0x42, 1, 0xff, 0xff, 0xff, 0xff, 0xff}}, {},
                "end at place 0");
  ExpectRefused({{0x4b, 0x44, 0x42, 2}}, {}, "does not begin with 'KDC'");
}

}  // namespace
}  // namespace keras_dc
