// Interpreters of one file, each with a delegate of its own or with none, hold
// decoded weights once.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fake_runtime.h"
#include "keras_dc/delegate.h"
#include "tflite/blob_cache.h"
#include "tflite/op_table.h"

namespace keras_dc {
namespace {

enum class Mode { kDelegate, kLowMemory, kResolver };

// One interpreter of a file that holds a KerasDcDecode, a layer with a bias and
// a convolution.
class Interpreter {
 public:
  explicit Interpreter(Mode mode, int batch = 1) {
    const int blob = Blob(3, {2, 64});
    kernel_ = runtime_.AddTensor(kTfLiteFloat32, {2, 64}, "kernel");
    AddNode("KerasDcDecode", {blob}, kernel_, mode);
    row_ = runtime_.AddTensor(kTfLiteFloat32, {batch, 64}, "row");
    const int weights = Blob(5, {48, 64});
    const int bias = Blob(7, {48});
    scores_ = runtime_.AddTensor(kTfLiteFloat32, {batch, 48}, "scores");
    AddNode("KerasDcFullyConnected", {row_, weights, bias}, scores_, mode);
    const int image = runtime_.AddTensor(kTfLiteFloat32, {1, 8, 8, 4}, "image");
    const int filters = Blob(11, {8, 3, 3, 4});
    const int map = runtime_.AddTensor(kTfLiteFloat32, {1, 8, 8, 8}, "map");
    AddNode("KerasDcConv2D", {image, filters}, map, mode);
    if (mode != Mode::kResolver) {
      char key[] = "low_memory", value[] = "true";
      char *keys[] = {key}, *values[] = {value};
      delegate_ = tflite_plugin_create_delegate(
          keys, values, mode == Mode::kLowMemory ? 1 : 0, nullptr);
      EXPECT_EQ(runtime_.ApplyDelegate(delegate_), kTfLiteOk);
    }
    EXPECT_EQ(runtime_.Allocate(), kTfLiteOk) << runtime_.errors();
    runtime_.SetFloats(row_, std::vector<float>(batch * size_t{64}, 1.0f));
  }

  ~Interpreter() {
    runtime_.UndoDelegate();
    if (delegate_ != nullptr) tflite_plugin_destroy_delegate(delegate_);
  }

  std::vector<float> Run() {
    EXPECT_EQ(runtime_.Invoke(), kTfLiteOk) << runtime_.errors();
    return runtime_.GetFloats(scores_);
  }

  const char* decoded() { return runtime_.tensor(kernel_).data.raw; }
  std::vector<float> kernel() { return runtime_.GetFloats(kernel_); }

 private:
  int Blob(size_t step, const std::vector<int64_t>& shape) {
    size_t size = 1;
    for (const int64_t dim : shape) size *= static_cast<size_t>(dim);
    std::vector<float> values(size);
    for (size_t i = 0; i < size; i += step) {
      values[i] = static_cast<float>(i % 13) - 5.5f;
    }
    return runtime_.AddBlob(EncodeFloats(values, shape));
  }

  void AddNode(const char* name, const std::vector<int>& inputs, int output,
               Mode mode) {
    const TfLiteRegistration op = MakeRegistration(*FindCustomOp(name));
    runtime_.AddNode(name, mode == Mode::kResolver ? &op : nullptr, inputs,
                     {output});
  }

  FakeRuntime runtime_;
  TfLiteDelegate* delegate_ = nullptr;
  int kernel_, row_, scores_;
};

class Sharing : public testing::TestWithParam<Mode> {};

// The decoded kernel, the layer and the filters in their forms, and the bias;
// in little memory there are no forms.
size_t NumShared(Mode mode) { return mode == Mode::kLowMemory ? 2 : 4; }

TEST_P(Sharing, AFurtherInterpreterHoldsNothingMore) {
  const size_t before = BlobCache::CountShared();
  {
    Interpreter first(GetParam());
    EXPECT_EQ(BlobCache::CountShared(), before + NumShared(GetParam()));
    for (int i = 0; i < 3; ++i) {
      Interpreter further(GetParam());
      EXPECT_EQ(BlobCache::CountShared(), before + NumShared(GetParam()));
      EXPECT_EQ(further.decoded(), first.decoded());
      EXPECT_EQ(further.Run(), first.Run());
    }
  }
  EXPECT_EQ(BlobCache::CountShared(), before);
}

TEST_P(Sharing, WeightsOutliveTheInterpreterThatDecodedThem) {
  auto first = std::make_unique<Interpreter>(GetParam());
  Interpreter second(GetParam());
  const std::vector<float> expected = first->Run(), kernel = first->kernel();
  first = nullptr;
  EXPECT_EQ(second.Run(), expected);
  EXPECT_EQ(second.kernel(), kernel);
}

INSTANTIATE_TEST_SUITE_P(Modes, Sharing,
                         testing::Values(Mode::kDelegate, Mode::kLowMemory,
                                         Mode::kResolver));

TEST(Sharing, ALayerOfAnotherBatchHasAFormOfItsOwn) {
  const size_t before = BlobCache::CountShared();
  Interpreter one(Mode::kDelegate, 1), many(Mode::kDelegate, 64);
  EXPECT_EQ(BlobCache::CountShared(), before + NumShared(Mode::kDelegate) + 1);
  const std::vector<float> row = one.Run(), rows = many.Run();
  ASSERT_EQ(rows.size(), 64 * row.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_NEAR(rows[i], row[i % row.size()], 1e-3f);
  }
}

}  // namespace
}  // namespace keras_dc
