// Any blob, in a graph of any shape: tensors may be missing, without memory or
// repeated, and the runtime may do things twice. A resolver or the delegate
// makes the op; Prepare or Invoke refuse it with a message, or Invoke computes.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "decode/blob_reader.h"
#include "fake_runtime.h"
#include "keras_dc/codec.h"
#include "keras_dc/delegate.h"
#include "keras_dc/tflite_abi.h"
#include "sealed_blob.h"
#include "tflite/bundle.h"
#include "tflite/op_table.h"

namespace {

// The bytes in front of the blob in a fuzzed input.
struct Header {
  static constexpr size_t kSize = 16;
  const uint8_t* data;

  int op() const { return data[0] % 3; }
  // Of a layer: whether activations are int8, and whether it reads scales of
  // its weights. The options tell whether these are int8.
  bool has_int8() const { return data[0] >= 128; }
  bool has_scales() const { return (data[0] & 64) != 0; }
  int dim(size_t i) const { return data[1 + i] % 9; }
  bool has_bias() const { return data[5] % 2 == 1; }
  bool is_blob_bias() const { return data[5] % 4 == 3; }
  std::vector<uint8_t> options() const {
    return std::vector<uint8_t>(data + 6, data + 6 + data[5] / 32);
  }
  // What is odd about the graph, and what the runtime does with it.
  bool is_odd(int bit) const { return (data[13] >> bit & 1) != 0; }
  bool swaps() const { return data[14] % 2 == 1; }
  size_t swapped_slot() const { return data[14] / 2 % 4; }
  int swapped_index() const { return data[14] / 32 - 1; }
  bool has_step(int bit) const { return (data[15] >> bit & 1) != 0; }
  bool is_resolved() const { return has_step(0); }
  // Of a decoder.
  size_t num_decoded_dims() const { return data[6] % 5; }
  bool has_half_output() const { return data[6] >= 128; }
  bool is_sound() const { return data[13] == 0 && !swaps() && data[15] == 0; }
};

constexpr int64_t kMaxConvolvedWeights = 1 << 12;

// Of a convolution, whose options here are too short for a place in a bundle.
int64_t NumWeights(const TfLiteTensor& tensor) {
  keras_dc::Blob blob;
  keras_dc::ParsedBlob parsed;
  if (keras_dc::GetBlobAt(tensor, 0, &blob).empty()) {
    keras_dc::ReadBlob(blob.data, blob.size, &parsed);
  }
  return parsed.info.num_weights;
}

constexpr const char* kOps[] = {"KerasDcDecode", "KerasDcFullyConnected",
                                "KerasDcConv2D"};

// Takes away or doubles what a sound graph has.
void MakeOdd(const Header& header, int y, std::vector<int>* inputs,
             std::vector<int>* outputs, keras_dc::FakeRuntime* runtime) {
  const auto is_odd = [&header](int bit) { return header.is_odd(bit); };
  if (is_odd(0)) runtime->WithholdMemory(inputs->front());
  if (is_odd(1)) runtime->WithholdMemory(y);
  if (is_odd(2)) runtime->WithholdMemory(inputs->back());
  if (is_odd(3)) runtime->SetOutputs({});
  if (is_odd(4)) runtime->SetBlob(y, std::vector<uint8_t>(8));
  if (is_odd(5)) runtime->tensor(y).allocation_type = kTfLiteDynamic;
  if (is_odd(6)) outputs->push_back(y);
  if (is_odd(7)) {
    std::free(runtime->tensor(inputs->front()).dims);
    runtime->tensor(inputs->front()).dims = nullptr;
  }
  if (header.swaps()) {
    // Absent, out of range, repeated, or the output.
    const size_t slot = header.swapped_slot() % (inputs->size() + 1);
    int* place = slot < inputs->size() ? &(*inputs)[slot] : &outputs->front();
    *place = header.swapped_index();
  }
}

// What an interpreter of a fuzzed file has.
struct Graph {
  keras_dc::FakeRuntime runtime;
  int blob = 0, y = 0;
  std::vector<int> inputs;
};

void Build(const Header& header, const std::vector<uint8_t>& bytes,
           Graph* graph) {
  keras_dc::FakeRuntime& runtime = graph->runtime;
  const int blob = runtime.AddBlob(bytes);
  std::vector<int> inputs = {blob};
  std::vector<int> dims;
  for (size_t i = 0; i < 4; ++i) dims.push_back(header.dim(i));
  int type = kTfLiteFloat32;
  if (header.op() == 0) {
    if (header.has_bias()) type = kTfLiteInt8;
    if (header.has_half_output()) type = kTfLiteFloat16;
    // A blob that declares a large tensor must contradict the output's shape.
    dims.resize(header.num_decoded_dims());
  } else {
    if (header.op() == 1) dims.resize(2);
    if (header.has_int8()) type = kTfLiteInt8;
    inputs = {runtime.AddTensor(type, dims, "x"), blob};
    if (header.is_blob_bias()) {
      inputs.push_back(runtime.AddBlob(bytes));
    } else if (header.has_bias()) {
      inputs.push_back(
          runtime.AddTensor(header.has_int8() ? kTfLiteInt32 : kTfLiteFloat32,
                            {header.dim(3)}, "bias"));
    }
    if (header.has_scales()) {
      if (inputs.size() == 2) inputs.push_back(-1);
      const std::vector<float> scales(static_cast<size_t>(header.dim(3)), 0.3f);
      inputs.push_back(
          runtime.AddBlob(keras_dc::EncodeFloats(scales, {header.dim(3)})));
    }
  }
  const int y = runtime.AddTensor(type, dims, "y");
  runtime.tensor(blob).params = {0.25f, 0};
  runtime.tensor(inputs.front()).params = {0.5f, header.dim(0) * 30 - 128};
  runtime.tensor(y).params = {0.125f, 128 - header.dim(1) * 30};
  std::vector<int> outputs = {y};
  MakeOdd(header, y, &inputs, &outputs, &runtime);
  const char* op = kOps[header.op()];
  const TfLiteRegistration registration =
      keras_dc::MakeRegistration(*keras_dc::FindCustomOp(op));
  for (int i = 0; i < (header.has_step(1) ? 2 : 1); ++i) {
    runtime.AddNode(op, header.is_resolved() ? &registration : nullptr, inputs,
                    outputs, header.options());
  }
  graph->blob = blob;
  graph->y = y;
  graph->inputs = inputs;
}

TfLiteDelegate* CreateDelegate(const Header& header) {
  char key[] = "low_memory", value[] = "true";
  char *keys[] = {key}, *values[] = {value};
  return tflite_plugin_create_delegate(keys, values, header.has_step(2) ? 1 : 0,
                                       nullptr);
}

// Another interpreter of the same file: what both read must be there until the
// last one is gone.
class Twin {
 public:
  Twin(const Header& header, const std::vector<uint8_t>& bytes)
      : delegate_(CreateDelegate(header)) {
    Build(header, bytes, &graph_);
    const bool has_ops = header.is_resolved() ||
                         graph_.runtime.ApplyDelegate(delegate_) == kTfLiteOk;
    is_ready_ = has_ops && graph_.runtime.Allocate() == kTfLiteOk;
  }
  ~Twin() {
    graph_.runtime.UndoDelegate();
    tflite_plugin_destroy_delegate(delegate_);
  }

  void Read() {
    if (!is_ready_) return;
    const TfLiteTensor& y = graph_.runtime.tensor(graph_.y);
    // A constant of ours, if it is one.
    if (y.allocation_type != kTfLiteMmapRo || y.data.raw == nullptr) return;
    volatile char sum = 0;
    for (size_t i = 0; i < y.bytes; ++i) {
      sum = static_cast<char>(sum ^ y.data.raw[i]);
    }
  }

  void Run() {
    if (is_ready_) graph_.runtime.Invoke();
    Read();
  }

 private:
  Graph graph_;
  TfLiteDelegate* delegate_;
  bool is_ready_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < Header::kSize) return 0;
  const Header header{data};
  const std::vector<uint8_t> bytes =
      keras_dc::SealedBlob(data + Header::kSize, size - Header::kSize);
  std::unique_ptr<Twin> twin;
  bool is_slow = false;
  {
    Graph graph;
    Build(header, bytes, &graph);
    keras_dc::FakeRuntime& runtime = graph.runtime;
    // A convolution takes time for each declared weight and each pixel.
    is_slow = header.op() == 2 &&
              NumWeights(runtime.tensor(graph.blob)) > kMaxConvolvedWeights;
    if (header.has_step(5)) twin = std::make_unique<Twin>(header, bytes);
    TfLiteDelegate* delegate = CreateDelegate(header);
    const auto require_named = [&runtime] {
      if (runtime.errors().find("KerasDc") == std::string::npos &&
          runtime.errors().find("unresolved") == std::string::npos) {
        std::abort();  // a refusal names the op
      }
    };
    if (header.is_resolved() || runtime.ApplyDelegate(delegate) == kTfLiteOk) {
      bool is_ready = runtime.Allocate() == kTfLiteOk;
      if (is_ready && header.has_step(3)) {
        is_ready = runtime.Allocate() == kTfLiteOk;
      }
      if (!is_ready) require_named();
      const bool is_sound = is_ready && header.is_sound();
      if (header.has_step(4) && runtime.tensor(graph.y).dims != nullptr) {
        runtime.Resize(graph.inputs.front() == graph.blob ? graph.y : 1,
                       {1, 2});
      }
      // A program may call Invoke after Allocate has failed.
      if ((is_ready || header.is_resolved() || header.op() != 0) && !is_slow &&
          runtime.Invoke() != kTfLiteOk) {
        if (is_sound) std::abort();
        require_named();
      }
    } else {
      require_named();
    }
    runtime.UndoDelegate();
    tflite_plugin_destroy_delegate(delegate);
  }
  if (twin != nullptr && !is_slow) twin->Run();
  return 0;
}
