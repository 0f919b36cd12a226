// The delegate that Python runtimes load by file name. It claims our ops, which
// the runtime cannot resolve, and poolings that follow them.
#include "keras_dc/delegate.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/no_throw.h"
#include "keras_dc/tflite_abi.h"
#include "tflite/op_table.h"

namespace keras_dc {
namespace {

// Outlives the interpreters that use it.
struct Delegate : TfLiteDelegate {
  Delegate() : TfLiteDelegate() {}

  std::shared_ptr<OpResources> resources = std::make_shared<OpResources>();
};

using NodeAndOp = std::pair<int, const OpRow*>;

// Raises the numbers to those of the graphs that the node calls.
void CountCalled(const TfLiteNode& node, const TfLiteRegistration& registration,
                 CalledGraphs* called) {
  constexpr int kIf = 118, kWhile = 119;
  const int code = registration.builtin_code;
  if ((code != kIf && code != kWhile) || node.builtin_data == nullptr) return;
  // The runtime's options of both ops are the numbers of two graphs.
  const auto* graphs = static_cast<const int*>(node.builtin_data);
  int* last = code == kIf ? &called->by_branches : &called->by_loops;
  *last = std::max({*last, graphs[0], graphs[1]});
}

// Whether a node waits for its own output, itself or through other nodes. Such
// a graph crashes older runtimes where a delegate claims any of its nodes.
bool HasCycle(const std::vector<const TfLiteNode*>& nodes) {
  std::set<int> awaited;
  for (const TfLiteNode* node : nodes) {
    if (node->outputs == nullptr) continue;
    awaited.insert(node->outputs->data,
                   node->outputs->data + node->outputs->size);
  }
  std::vector<const TfLiteNode*> waiting = nodes;
  const auto is_ready = [&awaited](const TfLiteNode* node) {
    const TfLiteIntArray* inputs = node->inputs;
    if (inputs != nullptr &&
        std::any_of(inputs->data, inputs->data + inputs->size,
                    [&](int input) { return awaited.count(input) > 0; })) {
      return false;
    }
    for (int i = 0; node->outputs != nullptr && i < node->outputs->size; ++i) {
      awaited.erase(node->outputs->data[i]);
    }
    return true;
  };
  // One round takes all nodes of a graph that is in order.
  for (size_t before = 0; before != waiting.size();) {
    before = waiting.size();
    std::vector<const TfLiteNode*> left;
    for (const TfLiteNode* node : waiting) {
      if (!is_ready(node)) left.push_back(node);
    }
    waiting = std::move(left);
  }
  return !waiting.empty();
}

TfLiteStatus FindNodes(TfLiteContext* context, std::vector<NodeAndOp>* found,
                       CalledGraphs* called) {
  TfLiteIntArray* plan = nullptr;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk ||
      plan == nullptr) {
    return kTfLiteError;
  }
  // The outputs of layers of ours.
  std::vector<int> outputs;
  std::vector<const TfLiteNode*> nodes;
  for (int i = 0; i < plan->size; ++i) {
    TfLiteNode* node = nullptr;
    TfLiteRegistration* registration = nullptr;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node,
                                        &registration) != kTfLiteOk ||
        node == nullptr || registration == nullptr) {
      return kTfLiteError;
    }
    nodes.push_back(node);
    CountCalled(*node, *registration, called);
    const OpRow* op = FindOp(*context, *node, *registration);
    if (op == nullptr) continue;
    if (!op->is_custom() && std::count(outputs.begin(), outputs.end(),
                                       node->inputs->data[0]) == 0) {
      continue;
    }
    found->emplace_back(plan->data[i], op);
    if (op->is_layer && node->outputs != nullptr) {
      outputs.insert(outputs.end(), node->outputs->data,
                     node->outputs->data + node->outputs->size);
    }
  }
  if (!found->empty() && HasCycle(nodes)) {
    context->ReportError(
        context, "KerasDc: an op of the graph waits for its own output");
    return kTfLiteError;
  }
  return kTfLiteOk;
}

// Claims node by node: a partition of several nodes would have tensors inside
// it that the memory planner does not see, and one name for all nodes.
TfLiteStatus Claim(TfLiteContext* context, TfLiteDelegate* delegate,
                   const std::vector<NodeAndOp>& nodes) {
  const std::unique_ptr<TfLiteIntArray, decltype(&std::free)> one_node(
      static_cast<TfLiteIntArray*>(
          std::malloc(sizeof(TfLiteIntArray) + sizeof(int))),
      std::free);
  if (one_node == nullptr) ThrowBadAlloc();
  one_node->size = 1;
  for (const auto& [node_index, op] : nodes) {
    one_node->data[0] = node_index;
    const TfLiteStatus status = context->ReplaceNodeSubsetsWithDelegateKernels(
        context, MakeDelegateRegistration(*op), one_node.get(), delegate);
    if (status != kTfLiteOk) return status;
  }
  return kTfLiteOk;
}

TfLiteStatus PrepareDelegate(TfLiteContext* context, TfLiteDelegate* delegate) {
  return NoThrow(
      [&] {
        OpResources* resources =
            static_cast<std::shared_ptr<OpResources>*>(delegate->data_)->get();
        std::vector<NodeAndOp> nodes;
        CalledGraphs called;
        TfLiteStatus status = FindNodes(context, &nodes, &called);
        resources->loop_graphs.Add(context, called);
        if (status == kTfLiteOk) status = Claim(context, delegate, nodes);
        resources->cache.DropUnused();
        return status;
      },
      [&] { return ReportOutOfMemory(context); });
}

// Refuses unknown options: a misspelt one must not pass in silence.
bool ReadOptions(char** keys, char** values, size_t num_options,
                 void (*report_error)(const char*), OpResources* resources) {
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
    resources->low_memory = value == "true";
  }
  return true;
}

}  // namespace
}  // namespace keras_dc

extern "C" {

KDC_EXPORT TfLiteDelegate* tflite_plugin_create_delegate(
    char** keys, char** values, size_t num_options,
    void (*report_error)(const char*)) {
  return keras_dc::NoThrow(
      [&]() -> TfLiteDelegate* {
        auto delegate = std::make_unique<keras_dc::Delegate>();
        if (!keras_dc::ReadOptions(keys, values, num_options, report_error,
                                   delegate->resources.get())) {
          return nullptr;
        }
        delegate->data_ = &delegate->resources;
        delegate->Prepare = keras_dc::PrepareDelegate;
        // Without it the runtime prepares the graph before the delegate claims
        // our ops, and fails since they are unresolved.
        delegate->flags = kTfLiteDelegateFlagsAllowDynamicTensors;
        return delegate.release();
      },
      [&]() -> TfLiteDelegate* {
        if (report_error != nullptr) report_error("KerasDc: out of memory");
        return nullptr;
      });
}

KDC_EXPORT void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) {
  delete static_cast<keras_dc::Delegate*>(delegate);
}

}  // extern "C"
