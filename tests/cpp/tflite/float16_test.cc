// Blobs of float16 where an op takes float32: each value is the float32 of
// equal value, whose blob gives the same outputs, bit for bit.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "common/half_float.h"
#include "fake_runtime.h"
#include "keras_dc/delegate.h"
#include "tflite/op_table.h"

namespace keras_dc {
namespace {

// Signalling and quiet NaNs, infinities, subnormals, zeros of either sign.
const std::vector<uint16_t> kSpecial = {0x7c01, 0xfe2a, 0x7c00, 0xfc00, 0x0001,
                                        0x83ff, 0x8000, 0x0000, 0x3c00, 0xbe00};

std::vector<float> Widened(const std::vector<uint16_t>& halves) {
  std::vector<float> floats(halves.size());
  for (size_t i = 0; i < halves.size(); ++i) {
    const uint32_t bits = HalfToFloatBits(halves[i]);
    std::memcpy(&floats[i], &bits, sizeof(bits));
  }
  return floats;
}

// Of `num_distinct` numbers; the others are 0.
std::vector<uint16_t> SparseHalves(size_t size, unsigned percent,
                                   unsigned num_distinct) {
  std::mt19937 random(size);
  std::vector<uint16_t> halves(size);
  for (uint16_t& half : halves) {
    if (random() % 100 >= percent) continue;
    const unsigned number = static_cast<unsigned>(random()) % num_distinct;
    half = static_cast<uint16_t>(0x2c00 + 37 * number + (number % 2 << 15));
  }
  return halves;
}

std::vector<uint8_t> Recoded(const std::vector<uint8_t>& blob) {
  kdc_bytes* made = nullptr;
  if (kdc_recode(blob.data(), blob.size(), 1, &made) != KDC_OK) std::abort();
  return TakeBytes(made);
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

struct Case {
  // Fewer distinct numbers have a codebook.
  unsigned percent, num_distinct;
  bool is_arithmetic;
};

class Float16 : public testing::TestWithParam<Case> {
 protected:
  std::vector<uint8_t> Coded(const std::vector<uint8_t>& blob) const {
    return GetParam().is_arithmetic ? Recoded(blob) : blob;
  }
};

TEST_P(Float16, DecodesToTheFloatsOfEqualValue) {
  std::vector<uint16_t> halves =
      SparseHalves(40 * 24, GetParam().percent, GetParam().num_distinct);
  std::copy(kSpecial.begin(), kSpecial.end(), halves.begin() + 100);
  for (const int type : {kTfLiteFloat32, kTfLiteFloat16}) {
    FakeRuntime runtime;
    const int blob = runtime.AddBlob(Coded(EncodeHalves(halves, {40, 24})));
    const int output = runtime.AddTensor(type, {40, 24}, "kernel");
    const TfLiteRegistration op =
        MakeRegistration(*FindCustomOp("KerasDcDecode"));
    runtime.AddNode("KerasDcDecode", &op, {blob}, {output});
    ASSERT_EQ(runtime.Allocate(), kTfLiteOk) << runtime.errors();
    if (type == kTfLiteFloat32) {
      EXPECT_TRUE(SameBits(runtime.GetFloats(output), Widened(halves)));
    } else {
      EXPECT_EQ(std::memcmp(runtime.tensor(output).data.raw, halves.data(),
                            2 * halves.size()),
                0);
    }
  }
}

TEST_P(Float16, LayersComputeAsFromFloats) {
  const std::vector<uint16_t> weights =
      SparseHalves(72 * 8 * 8 * 4, GetParam().percent, GetParam().num_distinct);
  const std::vector<uint16_t> bias = SparseHalves(72, 90, 20);
  struct Op {
    const char* name;
    std::vector<int> input, output;
    std::vector<int64_t> weights;
  };
  const Op ops[] = {
      {"KerasDcFullyConnected", {2, 256}, {2, 72}, {72, 256}},
      {"KerasDcConv2D", {1, 9, 9, 4}, {1, 9, 9, 72}, {72, 8, 8, 4}},
  };
  for (const Op& op : ops) {
    for (const bool low_memory : {false, true}) {
      std::vector<std::vector<float>> results;
      for (const bool is_half : {true, false}) {
        FakeRuntime runtime;
        const int input = runtime.AddTensor(kTfLiteFloat32, op.input, "x");
        const auto encode = [&](const std::vector<uint16_t>& halves,
                                const std::vector<int64_t>& shape) {
          return runtime.AddBlob(
              Coded(is_half ? EncodeHalves(halves, shape)
                            : EncodeFloats(Widened(halves), shape)));
        };
        const int weights_blob = encode(weights, op.weights);
        const int bias_blob = encode(bias, {72});
        const int output = runtime.AddTensor(kTfLiteFloat32, op.output, "y");
        runtime.AddNode(op.name, nullptr, {input, weights_blob, bias_blob},
                        {output});
        char key[] = "low_memory", value[] = "true";
        char *keys[] = {key}, *values[] = {value};
        TfLiteDelegate* delegate = tflite_plugin_create_delegate(
            keys, values, low_memory ? 1 : 0, nullptr);
        ASSERT_EQ(runtime.ApplyDelegate(delegate), kTfLiteOk);
        ASSERT_EQ(runtime.Allocate(), kTfLiteOk) << runtime.errors();
        const size_t size = runtime.tensor(input).bytes / sizeof(float);
        std::vector<float> x(size);
        for (size_t i = 0; i < size; ++i) {
          x[i] = static_cast<float>(i % 17) * 0.25f - 2.0f;
        }
        runtime.SetFloats(input, x);
        ASSERT_EQ(runtime.Invoke(), kTfLiteOk) << runtime.errors();
        results.push_back(runtime.GetFloats(output));
        runtime.UndoDelegate();
        tflite_plugin_destroy_delegate(delegate);
      }
      EXPECT_TRUE(SameBits(results[0], results[1])) << op.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Float16,
    testing::Values(Case{20, 30, false}, Case{20, 30, true},
                    Case{20, 800, false}, Case{20, 800, true},
                    Case{100, 30, false}, Case{100, 800, false},
                    Case{100, 800, true}));

TEST(Float16, OtherTypesAreRefusedStill) {
  const std::vector<uint8_t> blob = EncodeHalves({1, 2, 3, 4}, {2, 2});
  FakeRuntime runtime;
  const int input = runtime.AddBlob(blob);
  const int output = runtime.AddTensor(kTfLiteInt8, {2, 2}, "kernel");
  const TfLiteRegistration op =
      MakeRegistration(*FindCustomOp("KerasDcDecode"));
  runtime.AddNode("KerasDcDecode", &op, {input}, {output});
  EXPECT_EQ(runtime.Allocate(), kTfLiteError);
  EXPECT_TRUE(Contains(runtime.errors(),
                       "the blob holds FLOAT16, the output tensor is INT8"))
      << runtime.errors();
}

}  // namespace
}  // namespace keras_dc
