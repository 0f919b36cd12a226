// Any blob, in a graph of any shape. The delegate claims the op; then Prepare
// refuses it with a message, or Invoke computes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "decode/blob_reader.h"
#include "delegate_plugin.h"
#include "fake_runtime.h"
#include "keras_dc/codec.h"
#include "keras_dc/tflite_abi.h"
#include "sealed_blob.h"

namespace {

// The bytes in front of the blob in a fuzzed input.
struct Header {
  static constexpr size_t kSize = 13;
  const uint8_t* data;

  int op() const { return data[0] % 3; }
  int dim(size_t i) const { return data[1 + i] % 9; }
  bool has_bias() const { return data[5] % 2 == 1; }
  bool is_blob_bias() const { return data[5] % 4 == 3; }
  std::vector<uint8_t> options() const {
    return std::vector<uint8_t>(data + 6, data + 6 + data[5] / 32);
  }
};

constexpr int64_t kMaxConvolvedWeights = 1 << 12;

int64_t NumWeights(const std::vector<uint8_t>& blob) {
  keras_dc::ParsedBlob parsed;
  keras_dc::ReadBlob(blob.data(), blob.size(), &parsed);
  return parsed.info.num_weights;
}

constexpr const char* kOps[] = {"KerasDcDecode", "KerasDcFullyConnected",
                                "KerasDcConv2D"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < Header::kSize) return 0;
  const Header header{data};
  const std::vector<uint8_t> bytes =
      keras_dc::SealedBlob(data + Header::kSize, size - Header::kSize);
  keras_dc::FakeRuntime runtime;
  const int blob = runtime.AddBlob(bytes);
  std::vector<int> inputs = {blob};
  std::vector<int> dims;
  for (size_t i = 0; i < 4; ++i) dims.push_back(header.dim(i));
  int type = kTfLiteFloat32;
  if (header.op() == 0) {
    if (header.has_bias()) type = kTfLiteInt8;
    // A blob that declares a large tensor must contradict the output's shape.
    dims.resize(data[6] % 5);
  } else {
    if (header.op() == 1) dims.resize(2);
    inputs = {runtime.AddTensor(kTfLiteFloat32, dims, "x"), blob};
    if (header.is_blob_bias()) {
      inputs.push_back(runtime.AddBlob(bytes));
    } else if (header.has_bias()) {
      inputs.push_back(
          runtime.AddTensor(kTfLiteFloat32, {header.dim(3)}, "bias"));
    }
  }
  const int y = runtime.AddTensor(type, dims, "y");
  runtime.AddNode(kOps[header.op()], nullptr, inputs, {y}, header.options());
  TfLiteDelegate* delegate =
      tflite_plugin_create_delegate(nullptr, nullptr, 0, nullptr);
  if (runtime.ApplyDelegate(delegate) == kTfLiteOk) {
    if (runtime.Allocate() == kTfLiteOk) {
      // A convolution takes time for each declared weight and each pixel.
      const bool is_slow =
          header.op() == 2 && NumWeights(bytes) > kMaxConvolvedWeights;
      if (!is_slow && runtime.Invoke() != kTfLiteOk) std::abort();
    } else if (runtime.errors().find("KerasDc") == std::string::npos &&
               runtime.errors().find("unresolved") == std::string::npos) {
      std::abort();  // a refusal names the op
    }
  }
  runtime.UndoDelegate();
  tflite_plugin_destroy_delegate(delegate);
  return 0;
}
