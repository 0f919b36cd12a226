// A TFLite runtime, as far as ops and delegates use one.
#ifndef KERAS_DC_TESTS_CPP_FAKE_RUNTIME_H_
#define KERAS_DC_TESTS_CPP_FAKE_RUNTIME_H_

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "keras_dc/codec.h"
#include "keras_dc/tflite_abi.h"

namespace keras_dc {

struct FreeDeleter {
  void operator()(void* memory) const { std::free(memory); }
};
using IntArray = std::unique_ptr<TfLiteIntArray, FreeDeleter>;

inline IntArray MakeIntArray(const std::vector<int>& values) {
  IntArray array(static_cast<TfLiteIntArray*>(
      std::malloc(sizeof(TfLiteIntArray) + (values.size() + 1) * sizeof(int))));
  array->size = static_cast<int>(values.size());
  for (size_t i = 0; i < values.size(); ++i) array->data[i] = values[i];
  return array;
}

// Copies and frees what an encoder made.
inline std::vector<uint8_t> TakeBytes(kdc_bytes* made) {
  const uint8_t* data = kdc_bytes_data(made);
  const std::vector<uint8_t> bytes(data, data + kdc_bytes_size(made));
  kdc_free_bytes(made);
  return bytes;
}

inline std::vector<uint8_t> EncodeFloats(const std::vector<float>& values,
                                         const std::vector<int64_t>& shape) {
  kdc_bytes* blob = nullptr;
  if (kdc_encode(values.data(), KDC_FLOAT32, shape.data(),
                 static_cast<int32_t>(shape.size()), &blob) != KDC_OK) {
    std::abort();
  }
  return TakeBytes(blob);
}

// From the bits of float16 values.
inline std::vector<uint8_t> EncodeHalves(const std::vector<uint16_t>& bits,
                                         const std::vector<int64_t>& shape) {
  kdc_bytes* blob = nullptr;
  if (kdc_encode(bits.data(), KDC_FLOAT16, shape.data(),
                 static_cast<int32_t>(shape.size()), &blob) != KDC_OK) {
    std::abort();
  }
  return TakeBytes(blob);
}

inline bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class FakeRuntime {
 public:
  FakeRuntime() {
    context_.impl_ = this;
    context_.ResizeTensor = ResizeTensor;
    context_.ReportError = ReportError;
    context_.GetExecutionPlan = GetExecutionPlan;
    context_.GetNodeAndRegistration = GetNodeAndRegistration;
    context_.ReplaceNodeSubsetsWithDelegateKernels = Replace;
  }
  FakeRuntime(const FakeRuntime&) = delete;
  FakeRuntime& operator=(const FakeRuntime&) = delete;

  ~FakeRuntime() {
    for (auto& node : nodes_) FreeNode(node.get());
    for (TfLiteTensor& tensor : tensors_) std::free(tensor.dims);
  }

  int AddTensor(int type, const std::vector<int>& dims, const char* name = "") {
    TfLiteTensor tensor = {};
    tensor.type = static_cast<TfLiteType>(type);
    tensor.dims = MakeIntArray(dims).release();
    tensor.name = name;
    tensor.allocation_type = kTfLiteArenaRw;
    tensor.bytes = SizeBytes(tensor);
    tensors_.push_back(tensor);
    memory_.emplace_back();
    context_.tensors = tensors_.data();
    context_.tensors_size = tensors_.size();
    return static_cast<int>(tensors_.size()) - 1;
  }

  // The bytes are copied to a heap block of their size, so that
  // AddressSanitizer finds a read past the end.
  int AddBlob(const std::vector<uint8_t>& bytes) {
    const int index =
        AddTensor(kTfLiteUInt8, {static_cast<int>(bytes.size())}, "blob");
    SetBlob(index, bytes);
    return index;
  }

  void SetBlob(int index, const std::vector<uint8_t>& bytes) {
    TfLiteTensor& tensor = tensors_[static_cast<size_t>(index)];
    auto& memory = memory_[static_cast<size_t>(index)];
    memory = std::make_unique<char[]>(bytes.size());
    if (!bytes.empty()) std::memcpy(memory.get(), bytes.data(), bytes.size());
    tensor.allocation_type = kTfLiteMmapRo;
    tensor.data.raw = memory.get();
    tensor.bytes = bytes.size();
  }

  // A custom op; without `registration` it stays unresolved.
  int AddNode(const char* op_name, const TfLiteRegistration* registration,
              const std::vector<int>& inputs, const std::vector<int>& outputs,
              const std::vector<uint8_t>& options = {}) {
    auto node = std::make_unique<Node>();
    node->inputs = MakeIntArray(inputs);
    node->outputs = MakeIntArray(outputs);
    node->options.assign(options.begin(), options.end());
    node->tflite.inputs = node->inputs.get();
    node->tflite.outputs = node->outputs.get();
    node->tflite.custom_initial_data = node->options.data();
    node->tflite.custom_initial_data_size =
        static_cast<int>(node->options.size());
    if (registration != nullptr) node->registration = *registration;
    node->registration.builtin_code = 32;
    node->registration.custom_name = op_name;
    if (registration != nullptr) {
      node->tflite.user_data = registration->init(
          &context_, node->options.data(), node->options.size());
    }
    nodes_.push_back(std::move(node));
    plan_.push_back(static_cast<int>(nodes_.size()) - 1);
    return plan_.back();
  }

  // An op of the runtime. This one cannot run it.
  int AddBuiltin(int code, void* params, const std::vector<int>& inputs,
                 const std::vector<int>& outputs) {
    const int index = AddNode(nullptr, nullptr, inputs, outputs);
    Node& node = *nodes_[static_cast<size_t>(index)];
    node.registration.builtin_code = code;
    node.tflite.builtin_data = params;
    return index;
  }

  // The outputs of the graph; without them all tensors count as read. As in a
  // true runtime, what a delegate computes and nobody reads gets no memory.
  void SetOutputs(const std::vector<int>& outputs) {
    outputs_ = outputs;
    has_outputs_ = true;
  }

  // Allocate gives the tensor no memory: it is no input, and no op computes it.
  void WithholdMemory(int index) { withheld_.push_back(index); }

  TfLiteStatus ApplyDelegate(TfLiteDelegate* delegate) {
    plan_before_delegate_ = plan_;
    return delegate->Prepare(&context_, delegate);
  }

  // Does what resize_tensor_input does after a delegate has made the graph
  // immutable.
  void UndoDelegate() {
    for (const int index : plan_) {
      Node* node = nodes_[static_cast<size_t>(index)].get();
      if (node->is_delegate) FreeNode(node);
    }
    plan_ = plan_before_delegate_;
  }

  TfLiteStatus Allocate() {
    for (const int index : plan_) {
      Node& node = *nodes_[static_cast<size_t>(index)];
      if (node.registration.prepare == nullptr) {
        ReportError(&context_, "unresolved custom op");
        return kTfLiteError;
      }
      const TfLiteStatus status =
          node.registration.prepare(&context_, &node.tflite);
      if (status != kTfLiteOk) return status;
    }
    for (size_t i = 0; i < tensors_.size(); ++i) {
      if (tensors_[i].allocation_type != kTfLiteArenaRw) continue;
      if (Has(withheld_, static_cast<int>(i))) continue;
      memory_[i] = std::make_unique<char[]>(tensors_[i].bytes);
      tensors_[i].data.raw = memory_[i].get();
    }
    return kTfLiteOk;
  }

  TfLiteStatus Invoke() { return Invoke(plan_.size()); }

  // Invokes the first nodes.
  TfLiteStatus Invoke(size_t num_nodes) {
    for (size_t i = 0; i < num_nodes; ++i) {
      Node& node = *nodes_[static_cast<size_t>(plan_[i])];
      const TfLiteStatus status =
          node.registration.invoke(&context_, &node.tflite);
      if (status != kTfLiteOk) return status;
    }
    return kTfLiteOk;
  }

  void set_num_threads(int num_threads) {
    context_.recommended_num_threads = num_threads;
  }

  void Resize(int index, const std::vector<int>& dims) {
    ResizeTensor(&context_, &tensor(index), MakeIntArray(dims).release());
  }

  void SetFloats(int index, const std::vector<float>& values) {
    if (values.empty()) return;
    std::memcpy(tensor(index).data.raw, values.data(),
                values.size() * sizeof(float));
  }

  std::vector<float> GetFloats(int index) {
    const TfLiteTensor& t = tensor(index);
    return std::vector<float>(t.data.f, t.data.f + t.bytes / sizeof(float));
  }

  std::vector<int> Dims(int index) {
    const TfLiteIntArray* dims = tensor(index).dims;
    return std::vector<int>(dims->data, dims->data + dims->size);
  }

  TfLiteTensor& tensor(int index) {
    return tensors_[static_cast<size_t>(index)];
  }
  const std::string& errors() const { return errors_; }
  size_t plan_size() const { return plan_.size(); }

 private:
  struct Node {
    TfLiteNode tflite = {};
    TfLiteRegistration registration = {};
    IntArray inputs, outputs;
    std::vector<char> options;
    bool is_delegate = false;
    IntArray replaced, read_outputs;
    TfLiteDelegateParams params = {};
  };

  static bool Has(const std::vector<int>& list, int index) {
    return std::find(list.begin(), list.end(), index) != list.end();
  }

  // Of the outputs of a node, those that another node or the graph reads.
  std::vector<int> ReadOutputs(const Node& of) const {
    std::vector<int> read;
    for (int i = 0; i < of.outputs->size; ++i) {
      const int output = of.outputs->data[i];
      bool is_read = Has(outputs_, output);
      for (const auto& node : nodes_) {
        if (node.get() == &of || node->inputs == nullptr) continue;
        const int* inputs = node->inputs->data;
        is_read = is_read ||
                  std::count(inputs, inputs + node->inputs->size, output) > 0;
      }
      if (is_read) read.push_back(output);
    }
    return read;
  }

  static FakeRuntime* From(TfLiteContext* context) {
    return static_cast<FakeRuntime*>(context->impl_);
  }

  static size_t SizeBytes(const TfLiteTensor& tensor) {
    const bool has_words =
        tensor.type == kTfLiteFloat32 || tensor.type == kTfLiteInt32;
    size_t size = has_words ? 4 : tensor.type == kTfLiteFloat16 ? 2 : 1;
    for (int i = 0; i < tensor.dims->size; ++i) {
      size *= static_cast<size_t>(tensor.dims->data[i]);
    }
    return size;
  }

  void FreeNode(Node* node) {
    if (node->registration.free != nullptr) {
      node->registration.free(&context_, node->tflite.user_data);
    }
    node->tflite.user_data = nullptr;
    node->registration.free = nullptr;
  }

  static TfLiteStatus ResizeTensor(TfLiteContext* context, TfLiteTensor* tensor,
                                   TfLiteIntArray* dims) {
    std::free(tensor->dims);
    tensor->dims = dims;
    tensor->bytes = SizeBytes(*tensor);
    if (tensor->allocation_type == kTfLiteDynamic) {
      FakeRuntime* self = From(context);
      auto& memory =
          self->memory_[static_cast<size_t>(tensor - self->tensors_.data())];
      memory = std::make_unique<char[]>(tensor->bytes);
      tensor->data.raw = memory.get();
    }
    return kTfLiteOk;
  }

  static void ReportError(TfLiteContext* context, const char* format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    From(context)->errors_ += message;
  }

  static TfLiteStatus GetExecutionPlan(TfLiteContext* context,
                                       TfLiteIntArray** plan) {
    FakeRuntime* self = From(context);
    self->plan_array_ = MakeIntArray(self->plan_);
    *plan = self->plan_array_.get();
    return kTfLiteOk;
  }

  static TfLiteStatus GetNodeAndRegistration(
      TfLiteContext* context, int index, TfLiteNode** node,
      TfLiteRegistration** registration) {
    Node& found = *From(context)->nodes_[static_cast<size_t>(index)];
    *node = &found.tflite;
    *registration = &found.registration;
    return kTfLiteOk;
  }

  static TfLiteStatus Replace(TfLiteContext* context,
                              TfLiteRegistration registration,
                              const TfLiteIntArray* replaced,
                              TfLiteDelegate* delegate) {
    FakeRuntime* self = From(context);
    for (int i = 0; i < replaced->size; ++i) {
      auto node = std::make_unique<Node>();
      node->is_delegate = true;
      node->registration = registration;
      node->registration.builtin_code = 51;
      node->replaced = MakeIntArray({replaced->data[i]});
      node->params.delegate = delegate;
      node->params.nodes_to_replace = node->replaced.get();
      const Node& original =
          *self->nodes_[static_cast<size_t>(replaced->data[i])];
      if (self->has_outputs_) {
        const std::vector<int> read = self->ReadOutputs(original);
        for (int k = 0; k < original.outputs->size; ++k) {
          const int output = original.outputs->data[k];
          if (!Has(read, output)) self->WithholdMemory(output);
        }
        node->read_outputs = MakeIntArray(read);
        node->params.output_tensors = node->read_outputs.get();
      }
      node->tflite.delegate = delegate;
      node->tflite.user_data = registration.init(
          context, reinterpret_cast<const char*>(&node->params), 0);
      self->nodes_.push_back(std::move(node));
      for (int& index : self->plan_) {
        if (index == replaced->data[i]) {
          index = static_cast<int>(self->nodes_.size()) - 1;
        }
      }
    }
    return kTfLiteOk;
  }

  TfLiteContext context_ = {};
  std::vector<TfLiteTensor> tensors_;
  std::vector<std::unique_ptr<char[]>> memory_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<int> plan_;
  std::vector<int> plan_before_delegate_;
  IntArray plan_array_;
  std::vector<int> outputs_;
  bool has_outputs_ = false;
  std::vector<int> withheld_;
  std::string errors_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_TESTS_CPP_FAKE_RUNTIME_H_
