// Interpreters in several threads, each with threads of its own, on one
// delegate and on several. Built with KERAS_DC_SANITIZE_THREADS, it proves that
// they share nothing unguarded.
#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

#include "fake_runtime.h"
#include "keras_dc/delegate.h"

namespace keras_dc {
namespace {

std::vector<float> SparseFloats(size_t size) {
  std::mt19937 random(5);
  std::vector<float> values(size);
  for (float& value : values) {
    if (random() % 5 == 0) value = static_cast<float>(random() % 31) - 15.5f;
  }
  return values;
}

// A convolution and a layer, both large enough for threads, and a constant.
struct Graph {
  explicit Graph(int num_threads) {
    runtime.set_num_threads(num_threads);
    image = runtime.AddTensor(kTfLiteFloat32, {1, 64, 64, 8}, "image");
    const int kernel =
        runtime.AddBlob(EncodeFloats(SparseFloats(16 * 9 * 8), {16, 3, 3, 8}));
    features = runtime.AddTensor(kTfLiteFloat32, {1, 64, 64, 16}, "features");
    runtime.AddNode("KerasDcConv2D", nullptr, {image, kernel, -1}, {features});
    row = runtime.AddTensor(kTfLiteFloat32, {1, 2048}, "row");
    const int weights =
        runtime.AddBlob(EncodeFloats(SparseFloats(400 * 2048), {400, 2048}));
    scores = runtime.AddTensor(kTfLiteFloat32, {1, 400}, "scores");
    runtime.AddNode("KerasDcFullyConnected", nullptr, {row, weights, -1},
                    {scores});
    const int blob =
        runtime.AddBlob(EncodeFloats(SparseFloats(64 * 300), {64, 300}));
    table = runtime.AddTensor(kTfLiteFloat32, {64, 300}, "table");
    runtime.AddNode("KerasDcDecode", nullptr, {blob}, {table});
  }

  std::vector<float> Run(TfLiteDelegate* delegate) {
    EXPECT_EQ(runtime.ApplyDelegate(delegate), kTfLiteOk);
    EXPECT_EQ(runtime.Allocate(), kTfLiteOk) << runtime.errors();
    runtime.SetFloats(image, SparseFloats(64 * 64 * 8));
    runtime.SetFloats(row, SparseFloats(2048));
    for (int i = 0; i < 10; ++i) EXPECT_EQ(runtime.Invoke(), kTfLiteOk);
    std::vector<float> result = runtime.GetFloats(features);
    for (const int tensor : {scores, table}) {
      for (const float x : runtime.GetFloats(tensor)) result.push_back(x);
    }
    return result;
  }

  FakeRuntime runtime;
  int image, features, row, scores, table;
};

struct Mode {
  bool is_shared;
  bool low_memory;
};

class Threads : public testing::TestWithParam<Mode> {};

TEST_P(Threads, InterpretersRunSideBySide) {
  const Mode mode = GetParam();
  const auto create = [mode] {
    char key[] = "low_memory", value[] = "true";
    char *keys[] = {key}, *values[] = {value};
    return tflite_plugin_create_delegate(keys, values, mode.low_memory ? 1 : 0,
                                         nullptr);
  };
  TfLiteDelegate* shared = create();
  const std::vector<float> expected = Graph(1).Run(shared);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      TfLiteDelegate* delegate = mode.is_shared ? shared : create();
      EXPECT_EQ(Graph(i).Run(delegate), expected);
      if (!mode.is_shared) tflite_plugin_destroy_delegate(delegate);
    });
  }
  for (std::thread& thread : threads) thread.join();
  tflite_plugin_destroy_delegate(shared);
}

INSTANTIATE_TEST_SUITE_P(SharedDelegateOrNot, Threads,
                         testing::Values(Mode{true, false}, Mode{false, false},
                                         Mode{true, true}, Mode{false, true}));

}  // namespace
}  // namespace keras_dc
