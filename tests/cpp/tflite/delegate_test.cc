// The delegate, as a runtime loads and calls it.
#include "keras_dc/delegate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "fake_runtime.h"

namespace keras_dc {
namespace {

struct DestroyDelegate {
  void operator()(TfLiteDelegate* delegate) const {
    tflite_plugin_destroy_delegate(delegate);
  }
};
using DelegatePtr = std::unique_ptr<TfLiteDelegate, DestroyDelegate>;

DelegatePtr CreateDelegate() {
  return DelegatePtr(
      tflite_plugin_create_delegate(nullptr, nullptr, 0, nullptr));
}

// KerasDcDecode -> "kernel"; input -> KerasDcFullyConnected -> output.
struct Graph {
  Graph(const std::vector<float>& weights, const std::vector<float>& kernel) {
    decode_blob = runtime.AddBlob(EncodeFloats(kernel, {1, 3}));
    output_of_decode = runtime.AddTensor(kTfLiteFloat32, {1, 3}, "kernel");
    runtime.AddNode("KerasDcDecode", nullptr, {decode_blob},
                    {output_of_decode});
    input = runtime.AddTensor(kTfLiteFloat32, {1, 3}, "input");
    blob = runtime.AddBlob(EncodeFloats(weights, {1, 3}));
    output = runtime.AddTensor(kTfLiteFloat32, {1, 1}, "output");
    runtime.AddNode("KerasDcFullyConnected", nullptr, {input, blob, -1},
                    {output});
  }

  std::vector<float> Run(const std::vector<float>& values) {
    EXPECT_EQ(runtime.Allocate(), kTfLiteOk) << runtime.errors();
    runtime.SetFloats(input, values);
    EXPECT_EQ(runtime.Invoke(), kTfLiteOk) << runtime.errors();
    return runtime.GetFloats(output);
  }

  FakeRuntime runtime;
  int decode_blob, output_of_decode, input, blob, output;
};

TEST(Delegate, ClaimsOurOpsOnly) {
  const DelegatePtr delegate = CreateDelegate();
  Graph graph({1, 2, 3}, {4, 5, 6});
  const int x = graph.runtime.AddTensor(kTfLiteFloat32, {1});
  const int z = graph.runtime.AddTensor(kTfLiteFloat32, {1});
  graph.runtime.AddNode("SomebodysOp", nullptr, {x}, {z});
  ASSERT_EQ(graph.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  EXPECT_EQ(graph.runtime.plan_size(), 3u);
  EXPECT_EQ(graph.runtime.Allocate(), kTfLiteError);
  EXPECT_EQ(graph.runtime.errors(), "unresolved custom op");
}

TEST(Delegate, RefusesGraphsWithACycle) {
  const DelegatePtr delegate = CreateDelegate();
  Graph graph({1, 2, 3}, {4, 5, 6});
  const int x = graph.runtime.AddTensor(kTfLiteFloat32, {1});
  const int y = graph.runtime.AddTensor(kTfLiteFloat32, {1});
  graph.runtime.AddNode("SomebodysOp", nullptr, {x}, {y});
  graph.runtime.AddNode("SomebodysOp", nullptr, {y}, {x});
  EXPECT_EQ(graph.runtime.ApplyDelegate(delegate.get()), kTfLiteError);
  EXPECT_EQ(graph.runtime.errors(),
            "KerasDc: an op of the graph waits for its own output");
}

TEST(Delegate, TakesGraphsThatAreOutOfOrder) {
  const DelegatePtr delegate = CreateDelegate();
  Graph graph({1, 2, 3}, {4, 5, 6});
  const int first = graph.runtime.AddTensor(kTfLiteFloat32, {1});
  const int second = graph.runtime.AddTensor(kTfLiteFloat32, {1});
  graph.runtime.AddNode("SomebodysOp", nullptr, {first}, {second});
  graph.runtime.AddNode("SomebodysOp", nullptr, {graph.output}, {first});
  EXPECT_EQ(graph.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
}

TEST(Delegate, RunsBothOps) {
  const DelegatePtr delegate = CreateDelegate();
  Graph graph({1, 2, 3}, {4, 5, 6});
  ASSERT_EQ(graph.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  EXPECT_EQ(graph.Run({1, 10, 100}), (std::vector<float>{321}));
  EXPECT_EQ(graph.runtime.GetFloats(graph.output_of_decode),
            (std::vector<float>{4, 5, 6}));
}

TEST(Delegate, DecodedWeightsAreConstantBeforeAllocation) {
  const DelegatePtr delegate = CreateDelegate();
  Graph graph({1, 2, 3}, {4, 5, 6});
  ASSERT_EQ(graph.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  const TfLiteTensor& kernel = graph.runtime.tensor(graph.output_of_decode);
  EXPECT_EQ(kernel.allocation_type, kTfLiteMmapRo);
  EXPECT_EQ(graph.runtime.GetFloats(graph.output_of_decode),
            (std::vector<float>{4, 5, 6}));
}

TEST(Delegate, DecodesOnceWhenTheGraphIsUndoneAndRedone) {
  const DelegatePtr delegate = CreateDelegate();
  Graph graph({1, 2, 3}, {4, 5, 6});
  ASSERT_EQ(graph.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  EXPECT_EQ(graph.Run({1, 10, 100}), (std::vector<float>{321}));
  const char* memory = graph.runtime.tensor(graph.output_of_decode).data.raw;
  graph.runtime.UndoDelegate();
  EXPECT_EQ(graph.runtime.tensor(graph.output_of_decode).data.raw, nullptr);
  graph.runtime.Resize(graph.input, {2, 3});
  ASSERT_EQ(graph.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  EXPECT_EQ(graph.runtime.tensor(graph.output_of_decode).data.raw, memory);
  EXPECT_EQ(graph.Run({1, 10, 100, 0, 1, 0}), (std::vector<float>{321, 2}));
}

TEST(Delegate, ServesGraphsThatDifferInWeightsOnly) {
  const DelegatePtr delegate = CreateDelegate();
  Graph first({1, 2, 3}, {4, 5, 6});
  ASSERT_EQ(first.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  {
    Graph second({3, 2, 1}, {4, 5, 6});
    ASSERT_EQ(second.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
    EXPECT_EQ(second.Run({1, 10, 100}), (std::vector<float>{123}));
    EXPECT_EQ(first.Run({1, 10, 100}), (std::vector<float>{321}));
  }
  EXPECT_EQ(first.Run({1, 10, 100}), (std::vector<float>{321}));
  EXPECT_EQ(first.runtime.GetFloats(first.output_of_decode),
            (std::vector<float>{4, 5, 6}));
}

TEST(Delegate, OtherGraphsMayComeWhileOneIsUndone) {
  const DelegatePtr delegate = CreateDelegate();
  Graph first({1, 2, 3}, {4, 5, 6});
  ASSERT_EQ(first.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  EXPECT_EQ(first.Run({1, 10, 100}), (std::vector<float>{321}));
  first.runtime.UndoDelegate();
  Graph second({3, 2, 1}, {7, 8, 9});
  ASSERT_EQ(second.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  ASSERT_EQ(first.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  EXPECT_EQ(first.Run({1, 10, 100}), (std::vector<float>{321}));
  EXPECT_EQ(first.runtime.GetFloats(first.output_of_decode),
            (std::vector<float>{4, 5, 6}));
}

TEST(Delegate, ReportsABadBlobInAllocationNotBefore) {
  const DelegatePtr delegate = CreateDelegate();
  Graph graph({1, 2, 3}, {4, 5, 6});
  *graph.runtime.tensor(graph.decode_blob).data.raw ^= 1;
  EXPECT_EQ(graph.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  EXPECT_EQ(graph.runtime.errors(), "");
  EXPECT_EQ(graph.runtime.Allocate(), kTfLiteError);
  EXPECT_TRUE(Contains(graph.runtime.errors(), "KerasDcDecode 'kernel': "))
      << graph.runtime.errors();
}

DelegatePtr CreateLowMemoryDelegate() {
  char key[] = "low_memory", value[] = "true";
  char *keys[] = {key}, *values[] = {value};
  return DelegatePtr(tflite_plugin_create_delegate(keys, values, 1, nullptr));
}

TEST(Delegate, LowMemoryDecodesAtEveryInvoke) {
  const DelegatePtr delegate = CreateLowMemoryDelegate();
  Graph graph({1, 0, 3}, {4, 5, 6});
  ASSERT_EQ(graph.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  EXPECT_EQ(graph.Run({1, 10, 100}), (std::vector<float>{301}));
  graph.runtime.Resize(graph.input, {4, 3});
  EXPECT_EQ(graph.Run({1, 10, 100, 0, 1, 0, 1, 0, 0, 0, 0, 1}),
            (std::vector<float>{301, 0, 1, 3}));
}

// What the runtime makes of WhileOptions and IfOptions.
struct CalledTwo {
  int first, second;
};

// The graphs of a model, which a delegate gets in their order. What an op
// computes after its blob was overwritten tells whether it decodes again.
struct GraphsOfAModel {
  explicit GraphsOfAModel(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      graphs.push_back(std::make_unique<Graph>(std::vector<float>{1, 0, 3},
                                               std::vector<float>{4, 5, 6}));
    }
  }

  void Call(size_t from, int code, CalledTwo* options) {
    FakeRuntime& runtime = graphs[from]->runtime;
    const int x = runtime.AddTensor(kTfLiteFloat32, {1});
    const int y = runtime.AddTensor(kTfLiteFloat32, {1});
    runtime.AddBuiltin(code, options, {x}, {y});
  }

  // For each graph, whether it decodes at every Invoke.
  std::vector<bool> Decodes() {
    const DelegatePtr delegate = CreateLowMemoryDelegate();
    for (const auto& graph : graphs) {
      EXPECT_EQ(graph->runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
    }
    std::vector<bool> decodes;
    for (const auto& graph : graphs) {
      FakeRuntime& runtime = graph->runtime;
      // A caller cannot be run here: its last op is the runtime's.
      runtime.Allocate();
      TfLiteTensor& blob = runtime.tensor(graph->blob);
      std::vector<float> input = {1, 10, 100};
      runtime.tensor(graph->input).data.f = input.data();
      std::vector<float> output(1);
      runtime.tensor(graph->output).data.f = output.data();
      EXPECT_EQ(runtime.Invoke(2), kTfLiteOk) << runtime.errors();
      EXPECT_EQ(output, (std::vector<float>{301}));
      std::fill_n(blob.data.raw, blob.bytes, 0);
      output[0] = 0;
      for (int i = 0; i < 3; ++i) runtime.Invoke(2);
      decodes.push_back(output[0] != 301);
    }
    for (const auto& graph : graphs) graph->runtime.UndoDelegate();
    return decodes;
  }

  std::vector<std::unique_ptr<Graph>> graphs;
};

constexpr int kIf = 118, kWhile = 119;
using Flags = std::vector<bool>;

TEST(LowMemory, DecodesOnceInTheBodyOfALoop) {
  CalledTwo loop = {1, 2};
  GraphsOfAModel model(4);
  model.Call(0, kWhile, &loop);
  EXPECT_EQ(model.Decodes(), (Flags{true, false, false, true}));
}

TEST(LowMemory, DecodesOnceInWhatALoopCallsDeepDown) {
  CalledTwo loop = {2, 1}, branch = {3, 4};
  GraphsOfAModel model(5);
  model.Call(0, kWhile, &loop);
  model.Call(1, kIf, &branch);
  EXPECT_EQ(model.Decodes(), (Flags{true, false, false, false, false}));
}

TEST(LowMemory, ABranchAloneIsNoLoop) {
  CalledTwo branch = {1, 2};
  GraphsOfAModel model(3);
  model.Call(0, kIf, &branch);
  EXPECT_EQ(model.Decodes(), (Flags{true, true, true}));
}

TEST(LowMemory, ALoopMayBeInTheSecondGraph) {
  CalledTwo loop = {2, 3};
  GraphsOfAModel model(4);
  model.Call(1, kWhile, &loop);
  EXPECT_EQ(model.Decodes(), (Flags{true, true, false, false}));
}

TEST(Delegate, LowMemoryRefusesADamagedBlobInAllocation) {
  const DelegatePtr delegate = CreateLowMemoryDelegate();
  Graph graph({1, 0, 3}, {4, 5, 6});
  ASSERT_EQ(graph.runtime.ApplyDelegate(delegate.get()), kTfLiteOk);
  *graph.runtime.tensor(graph.blob).data.raw ^= 1;
  EXPECT_EQ(graph.runtime.Allocate(), kTfLiteError);
  EXPECT_TRUE(Contains(graph.runtime.errors(), "cannot decode the blob"));
}

TEST(Delegate, AllowsDynamicTensors) {
  EXPECT_EQ(CreateDelegate()->flags, kTfLiteDelegateFlagsAllowDynamicTensors);
}

std::string* reported = nullptr;

TEST(Delegate, RefusesUnknownOptions) {
  std::string message;
  reported = &message;
  char key[] = "speed", value[] = "10";
  char *keys[] = {key}, *values[] = {value};
  EXPECT_EQ(tflite_plugin_create_delegate(
                keys, values, 1, [](const char* text) { *reported = text; }),
            nullptr);
  EXPECT_EQ(message,
            "KerasDc: unknown option 'speed'; known options: low_memory");
  EXPECT_EQ(tflite_plugin_create_delegate(keys, values, 1, nullptr), nullptr);
  char low_memory[] = "low_memory", maybe[] = "maybe";
  keys[0] = low_memory;
  values[0] = maybe;
  EXPECT_EQ(tflite_plugin_create_delegate(
                keys, values, 1, [](const char* text) { *reported = text; }),
            nullptr);
  EXPECT_EQ(message,
            "KerasDc: expected low_memory as true or false, got 'maybe'");
}

}  // namespace
}  // namespace keras_dc
