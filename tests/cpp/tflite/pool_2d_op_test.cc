// Poolings of the runtime, which the delegate takes over if they follow an op
// of ours.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "fake_runtime.h"
#include "keras_dc/delegate.h"

namespace keras_dc {
namespace {

constexpr int kAveragePool2D = 1;
constexpr int kMaxPool2D = 17;

// The first fields of TfLitePoolParams: windows of 2 x 2, VALID.
struct Params {
  int padding = 2;
  int stride_width = 2, stride_height = 2;
  int filter_width = 2, filter_height = 2;
  int activation = 0;
  int computed[4] = {};
};

class Pool2DOpTest : public testing::Test {
 protected:
  ~Pool2DOpTest() override { tflite_plugin_destroy_delegate(delegate_); }

  // image (2 x 4 x 1) -> a convolution that copies it -> `features_`.
  void AddConvolution() {
    image_ = runtime_.AddTensor(kTfLiteFloat32, {1, 2, 4, 1}, "image");
    const int kernel = runtime_.AddBlob(EncodeFloats({1}, {1, 1, 1, 1}));
    features_ = runtime_.AddTensor(kTfLiteFloat32, {1, 2, 4, 1}, "features");
    runtime_.AddNode("KerasDcConv2D", nullptr, {image_, kernel, -1},
                     {features_});
  }

  int AddPooling(int code, int input, int type = kTfLiteFloat32) {
    const int output = runtime_.AddTensor(type, {1, 1, 2, 1}, "pooled");
    params_.push_back(std::make_unique<Params>(next_params_));
    runtime_.AddBuiltin(code, params_.back().get(), {input}, {output});
    return output;
  }

  std::vector<float> Run(int output) {
    EXPECT_EQ(runtime_.ApplyDelegate(delegate_), kTfLiteOk);
    EXPECT_EQ(runtime_.Allocate(), kTfLiteOk) << runtime_.errors();
    runtime_.SetFloats(image_, {1, 2, 3, 4, -5, 6, 7, -8});
    EXPECT_EQ(runtime_.Invoke(), kTfLiteOk) << runtime_.errors();
    return runtime_.GetFloats(output);
  }

  void ExpectUnclaimed() {
    EXPECT_EQ(runtime_.ApplyDelegate(delegate_), kTfLiteOk);
    EXPECT_EQ(runtime_.Allocate(), kTfLiteError);
    EXPECT_EQ(runtime_.errors(), "unresolved custom op");
  }

  // Outlives the runtime.
  TfLiteDelegate* delegate_ =
      tflite_plugin_create_delegate(nullptr, nullptr, 0, nullptr);
  FakeRuntime runtime_;
  // The options of all poolings, and of the next one.
  std::vector<std::unique_ptr<Params>> params_;
  Params next_params_;
  int image_ = -1, features_ = -1;
};

TEST_F(Pool2DOpTest, RunsTheMaximumBehindAConvolution) {
  AddConvolution();
  EXPECT_EQ(Run(AddPooling(kMaxPool2D, features_)), (std::vector<float>{6, 7}));
}

TEST_F(Pool2DOpTest, RunsTheMeanBehindAConvolution) {
  AddConvolution();
  EXPECT_EQ(Run(AddPooling(kAveragePool2D, features_)),
            (std::vector<float>{1, 1.5f}));
}

TEST_F(Pool2DOpTest, FusesTheActivation) {
  AddConvolution();
  next_params_.activation = 3;  // RELU6
  EXPECT_EQ(Run(AddPooling(kMaxPool2D, features_)), (std::vector<float>{6, 6}));
}

TEST_F(Pool2DOpTest, RunsOneBehindTheOther) {
  AddConvolution();
  const int first = AddPooling(kMaxPool2D, features_);
  next_params_.filter_height = 1;
  EXPECT_EQ(Run(AddPooling(kMaxPool2D, first)), (std::vector<float>{7}));
}

TEST_F(Pool2DOpTest, FollowsTheShape) {
  AddConvolution();
  next_params_.padding = 1;  // SAME
  const int pooled = AddPooling(kMaxPool2D, features_);
  ASSERT_EQ(runtime_.ApplyDelegate(delegate_), kTfLiteOk);
  ASSERT_EQ(runtime_.Allocate(), kTfLiteOk) << runtime_.errors();
  runtime_.Resize(image_, {1, 3, 3, 1});
  ASSERT_EQ(runtime_.Allocate(), kTfLiteOk) << runtime_.errors();
  EXPECT_EQ(runtime_.Dims(pooled), (std::vector<int>{1, 2, 2, 1}));
  runtime_.SetFloats(image_, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  ASSERT_EQ(runtime_.Invoke(), kTfLiteOk) << runtime_.errors();
  EXPECT_EQ(runtime_.GetFloats(pooled), (std::vector<float>{5, 6, 8, 9}));
}

TEST_F(Pool2DOpTest, RefusesAWindowLargerThanTheImage) {
  AddConvolution();
  next_params_.filter_height = 3;
  AddPooling(kMaxPool2D, features_);
  ASSERT_EQ(runtime_.ApplyDelegate(delegate_), kTfLiteOk);
  EXPECT_EQ(runtime_.Allocate(), kTfLiteError);
  EXPECT_EQ(runtime_.errors(),
            "MAX_POOL_2D 'pooled': the input shape [1, 2, 4, 1] is smaller "
            "than the window");
}

TEST_F(Pool2DOpTest, LeavesPoolingsOfOtherInputs) {
  AddConvolution();
  AddPooling(kMaxPool2D, image_);
  ExpectUnclaimed();
}

TEST_F(Pool2DOpTest, LeavesOtherTypes) {
  AddConvolution();
  AddPooling(kMaxPool2D, features_, kTfLiteInt8);
  ExpectUnclaimed();
}

TEST_F(Pool2DOpTest, LeavesOtherOps) {
  AddConvolution();
  AddPooling(kMaxPool2D + 1, features_);
  ExpectUnclaimed();
}

TEST_F(Pool2DOpTest, LeavesOptionsThatMakeNoSense) {
  AddConvolution();
  next_params_.stride_width = 0;
  AddPooling(kMaxPool2D, features_);
  ExpectUnclaimed();
}

TEST_F(Pool2DOpTest, LeavesActivationsThatDoNotClamp) {
  AddConvolution();
  next_params_.activation = 4;  // TANH
  AddPooling(kMaxPool2D, features_);
  ExpectUnclaimed();
}

}  // namespace
}  // namespace keras_dc
