// The delegate that Python runtimes load by file name: it claims our ops, which
// the runtime has left unresolved, and poolings that follow them.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "keras_dc/codec.h"
#include "keras_dc/tflite_abi.h"
#include "tflite/blob_cache.h"
#include "tflite/ops.h"
#include "tflite/pool_2d_op.h"

namespace keras_dc {
namespace {

// Lives longer than the interpreters that use it.
struct Delegate : TfLiteDelegate {
  Delegate() : TfLiteDelegate() {}

  std::shared_ptr<WeightCaches> caches = std::make_shared<WeightCaches>();
};

using NodeAndOp = std::pair<int, const char*>;

TfLiteStatus FindNodes(TfLiteContext* context, std::vector<NodeAndOp>* found) {
  TfLiteIntArray* plan = nullptr;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) {
    return kTfLiteError;
  }
  // What comes from a layer of ours.
  std::vector<int> outputs;
  for (int i = 0; i < plan->size; ++i) {
    TfLiteNode* node = nullptr;
    TfLiteRegistration* registration = nullptr;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node,
                                        &registration) != kTfLiteOk) {
      return kTfLiteError;
    }
    const char* op_name = FindOpName(*registration);
    if (op_name == nullptr) {
      const char* pool_name = FindPool2DName(*context, *node, *registration);
      if (pool_name != nullptr && std::count(outputs.begin(), outputs.end(),
                                             node->inputs->data[0]) > 0) {
        op_name = pool_name;
      }
    }
    if (op_name == nullptr) continue;
    found->emplace_back(plan->data[i], op_name);
    if (std::strcmp(op_name, kDecodeName) != 0) {
      outputs.insert(outputs.end(), node->outputs->data,
                     node->outputs->data + node->outputs->size);
    }
  }
  return kTfLiteOk;
}

// Claims node by node: a partition of several would have tensors inside it that
// the memory planner does not see, and one name for all of them.
TfLiteStatus Claim(TfLiteContext* context, TfLiteDelegate* delegate,
                   const std::vector<NodeAndOp>& nodes) {
  const std::unique_ptr<TfLiteIntArray, decltype(&std::free)> one_node(
      static_cast<TfLiteIntArray*>(
          std::malloc(sizeof(TfLiteIntArray) + sizeof(int))),
      std::free);
  if (one_node == nullptr) throw std::bad_alloc();
  one_node->size = 1;
  for (const auto& [node_index, op_name] : nodes) {
    one_node->data[0] = node_index;
    const TfLiteStatus status = context->ReplaceNodeSubsetsWithDelegateKernels(
        context, MakeDelegateRegistration(op_name), one_node.get(), delegate);
    if (status != kTfLiteOk) return status;
  }
  return kTfLiteOk;
}

TfLiteStatus PrepareDelegate(TfLiteContext* context, TfLiteDelegate* delegate) {
  try {
    std::vector<NodeAndOp> nodes;
    TfLiteStatus status = FindNodes(context, &nodes);
    if (status == kTfLiteOk) status = Claim(context, delegate, nodes);
    auto& caches =
        *static_cast<std::shared_ptr<WeightCaches>*>(delegate->data_);
    caches->DropUnused();
    return status;
  } catch (const std::exception&) {
    context->ReportError(context, "KerasDc: %s",
                         kdc_status_message(KDC_OUT_OF_MEMORY));
    return kTfLiteError;
  }
}

// A misspelt option must not pass in silence.
bool ReadOptions(char** keys, char** values, size_t num_options,
                 void (*report_error)(const char*), WeightCaches* caches) {
  for (size_t i = 0; i < num_options; ++i) {
    const std::string key = keys[i], value = values[i];
    std::string message;
    if (key != "low_memory") {
      message = "unknown option '" + key + "'; known options: low_memory";
    } else if (value != "true" && value != "false") {
      message = "expected low_memory as true or false, got '" + value + "'";
    }
    if (!message.empty()) {
      if (report_error != nullptr)
        report_error(("KerasDc: " + message).c_str());
      return false;
    }
    caches->low_memory = value == "true";
  }
  return true;
}

}  // namespace
}  // namespace keras_dc

extern "C" {

KDC_EXPORT TfLiteDelegate* tflite_plugin_create_delegate(
    char** keys, char** values, size_t num_options,
    void (*report_error)(const char*)) {
  try {
    auto delegate = std::make_unique<keras_dc::Delegate>();
    if (!keras_dc::ReadOptions(keys, values, num_options, report_error,
                               delegate->caches.get())) {
      return nullptr;
    }
    delegate->data_ = &delegate->caches;
    delegate->Prepare = keras_dc::PrepareDelegate;
    // Without it the runtime prepares the graph, and stumbles over our
    // unresolved ops, before it lets the delegate claim them.
    delegate->flags = kTfLiteDelegateFlagsAllowDynamicTensors;
    return delegate.release();
  } catch (const std::exception&) {
    if (report_error != nullptr) report_error("KerasDc: out of memory");
    return nullptr;
  }
}

KDC_EXPORT void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) {
  delete static_cast<keras_dc::Delegate*>(delegate);
}

}  // extern "C"
