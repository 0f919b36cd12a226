#include "tflite/op.h"

#include <algorithm>
#include <climits>
#include <cstdlib>

namespace keras_dc {
namespace {

// Older official headers do not name these types.
constexpr int kInt4Type = 18;
constexpr int kBFloat16Type = 19;
// Memory that the program gives for a tensor; older headers do not name it.
constexpr int kCustomAllocation = 6;

bool Exists(const TfLiteContext& context, int index) {
  return index >= 0 && static_cast<size_t>(index) < context.tensors_size &&
         context.tensors != nullptr;
}

void Assign(const TfLiteIntArray* from, std::vector<int>* to) {
  to->clear();
  if (from != nullptr) to->assign(from->data, from->data + from->size);
}

}  // namespace

void Op::Bind(const TfLiteIntArray* inputs, const TfLiteIntArray* outputs) {
  Assign(inputs, &inputs_);
  Assign(outputs, &outputs_);
}

void Op::BindReadOutputs(const TfLiteIntArray* read) {
  is_unread_ =
      read != nullptr && !outputs_.empty() &&
      std::count(read->data, read->data + read->size, outputs_[0]) == 0;
}

std::string Op::Label(const TfLiteContext& context) const {
  std::string label = name_;
  if (outputs_.empty() || !Exists(context, outputs_[0])) return label;
  const char* name = context.tensors[outputs_[0]].name;
  if (name == nullptr || name[0] == '\0') {
    return label + " (output tensor " + std::to_string(outputs_[0]) + ")";
  }
  // Runtimes keep about a thousand characters of a message; the reason must
  // fit, too.
  constexpr size_t kMaxNameLength = 200;
  return label + " '" + std::string(name).substr(0, kMaxNameLength) + "'";
}

Error Op::CheckArity(const TfLiteContext& context, size_t min_inputs,
                     size_t max_inputs) const {
  if (inputs_.size() < min_inputs || inputs_.size() > max_inputs) {
    const std::string expected =
        min_inputs == max_inputs
            ? std::to_string(min_inputs)
            : std::to_string(min_inputs) + " to " + std::to_string(max_inputs);
    return "expected " + expected + " inputs, got " +
           std::to_string(inputs_.size());
  }
  if (outputs_.size() != 1) {
    return "expected 1 output, got " + std::to_string(outputs_.size());
  }
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const bool is_absent = i >= min_inputs && inputs_[i] == -1;
    if (is_absent) continue;
    const std::string input = "input " + std::to_string(i);
    if (!Exists(context, inputs_[i])) return input + " does not exist";
    if (context.tensors[inputs_[i]].dims == nullptr) {
      return input + " has no shape";
    }
    if (inputs_[i] == outputs_[0]) return input + " is the output, too";
  }
  if (!Exists(context, outputs_[0])) return "the output does not exist";
  if (context.tensors[outputs_[0]].dims == nullptr) {
    return "the output has no shape";
  }
  return "";
}

TfLiteTensor* Op::Input(TfLiteContext* context, size_t index) const {
  if (index >= inputs_.size() || !Exists(*context, inputs_[index])) {
    return nullptr;
  }
  return &context->tensors[inputs_[index]];
}

TfLiteTensor* Op::Output(TfLiteContext* context) const {
  if (outputs_.empty() || !Exists(*context, outputs_[0])) return nullptr;
  return &context->tensors[outputs_[0]];
}

Error Op::CheckOutputChannels(TfLiteContext* context, int64_t channels) const {
  const TfLiteIntArray* dims = Output(context)->dims;
  if (dims->size == 0 || dims->data[dims->size - 1] == channels) return "";
  return "the output shape " + ShapeString(dims) + " does not fit weights of " +
         std::to_string(channels) + " output channels";
}

Error Op::ResizeOutput(TfLiteContext* context,
                       const std::vector<int>& shape) const {
  // The runtime frees the array, with free().
  auto* dims = static_cast<TfLiteIntArray*>(
      std::malloc(sizeof(TfLiteIntArray) + shape.size() * sizeof(int)));
  if (dims == nullptr) return kdc_status_message(KDC_OUT_OF_MEMORY);
  dims->size = static_cast<int>(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) dims->data[i] = shape[i];
  if (context->ResizeTensor(context, Output(context), dims) != kTfLiteOk) {
    return "the runtime cannot resize the output tensor";
  }
  return "";
}

Error GetBlob(const TfLiteTensor& tensor, Blob* blob) {
  if (tensor.type != kTfLiteUInt8) {
    return "expected the blob as UINT8, got " + TypeName(tensor.type);
  }
  if (tensor.allocation_type != kTfLiteMmapRo || tensor.data.raw == nullptr) {
    return "expected the blob as a constant, got a computed tensor";
  }
  *blob = {reinterpret_cast<const uint8_t*>(tensor.data.raw), tensor.bytes};
  return "";
}

Error BlobError(kdc_status status) {
  if (status == KDC_OK) return "";
  return std::string("cannot decode the blob: ") + kdc_status_message(status);
}

TfLiteStatus ReportOutOfMemory(TfLiteContext* context) {
  context->ReportError(context, "KerasDc: %s",
                       kdc_status_message(KDC_OUT_OF_MEMORY));
  return kTfLiteError;
}

Error ChooseMeans(const TfLiteContext& context, Isa* isa, size_t* num_threads) {
  // -1 leaves the number to the runtime, which takes one.
  *num_threads =
      static_cast<size_t>(std::max(context.recommended_num_threads, 1));
  *isa = ThisCpu().isa;
  return ThisCpu().error;
}

Error CheckFloat32(const char* role, const TfLiteTensor& tensor) {
  if (tensor.type == kTfLiteFloat32) return "";
  return std::string("expected the ") + role + " as FLOAT32, got " +
         TypeName(tensor.type);
}

Error CheckWritable(const TfLiteTensor& output) {
  switch (static_cast<int>(output.allocation_type)) {
    case kTfLiteArenaRw:
    case kTfLiteArenaRwPersistent:
    case kTfLiteDynamic:
    case kCustomAllocation:
      return "";
    default:
      return "expected a computed output tensor, got a constant";
  }
}

Error CheckMemory(const char* role, const TfLiteTensor& tensor, size_t bytes) {
  if (tensor.bytes != bytes) return "the shapes changed after AllocateTensors";
  if (bytes == 0 || tensor.data.raw != nullptr) return "";
  return std::string("the ") + role + " has no memory: no op computes it";
}

bool CountElements(const std::array<int64_t, 4>& dims, size_t* count) {
  int64_t product = 1;
  for (const int64_t dim : dims) {
    if (dim > INT_MAX || (dim > 0 && product > INT_MAX / dim)) return false;
    product *= dim;
  }
  *count = static_cast<size_t>(product);
  return true;
}

bool CountFloatBytes(const std::array<int64_t, 4>& dims, size_t* bytes) {
  if (!CountElements(dims, bytes)) return false;
  *bytes *= sizeof(float);
  return true;
}

std::string TypeName(int tflite_type) {
  switch (tflite_type) {
    case kTfLiteFloat32:
      return "FLOAT32";
    case kTfLiteFloat16:
      return "FLOAT16";
    case kBFloat16Type:
      return "BFLOAT16";
    case kTfLiteInt32:
      return "INT32";
    case kTfLiteInt64:
      return "INT64";
    case kTfLiteInt8:
      return "INT8";
    case kTfLiteUInt8:
      return "UINT8";
    default:
      return "type " + std::to_string(tflite_type);
  }
}

int TfLiteTypeOf(int32_t dtype) {
  switch (dtype) {
    case KDC_FLOAT32:
      return kTfLiteFloat32;
    case KDC_FLOAT16:
      return kTfLiteFloat16;
    case KDC_BFLOAT16:
      return kBFloat16Type;
    case KDC_INT8:
      return kTfLiteInt8;
    case KDC_INT4:
      return kInt4Type;
    default:
      return kTfLiteNoType;
  }
}

std::string ShapeString(const int64_t* shape, size_t rank) {
  std::string text = "[";
  for (size_t i = 0; i < rank; ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

std::string ShapeString(const TfLiteIntArray* dims) {
  if (dims == nullptr) return "[]";
  const std::vector<int64_t> shape(dims->data, dims->data + dims->size);
  return ShapeString(shape.data(), shape.size());
}

}  // namespace keras_dc
