#include "tflite/op_table.h"

#include <array>
#include <cstring>
#include <utility>

#include "common/no_throw.h"

namespace keras_dc {

namespace {

// A null `user_data` is an error in Prepare.
void* ReturnNull() { return nullptr; }

using InitCallback = void* (*)(TfLiteContext*, const char*, size_t);

template <size_t kRow>
void* Init(TfLiteContext*, const char* options, size_t options_size) {
  return NoThrow(
      [&]() -> void* {
        NodeOptions node_options;
        node_options.custom = reinterpret_cast<const uint8_t*>(options);
        node_options.custom_size = options_size;
        return kOps[kRow]
            .make(node_options, std::make_shared<OpResources>())
            .release();
      },
      ReturnNull);
}

// A runtime does not tell Init which op it makes.
template <size_t... kRow>
constexpr std::array<InitCallback, kNumOps> EachInit(
    std::index_sequence<kRow...>) {
  return {Init<kRow>...};
}

constexpr std::array<InitCallback, kNumOps> kInits =
    EachInit(std::make_index_sequence<kNumOps>());

void* InitForDelegate(TfLiteContext* context, const char* buffer, size_t) {
  const auto* params = reinterpret_cast<const TfLiteDelegateParams*>(buffer);
  if (params == nullptr || params->delegate == nullptr ||
      params->nodes_to_replace == nullptr ||
      params->nodes_to_replace->size != 1) {
    return nullptr;
  }
  TfLiteNode* node = nullptr;
  TfLiteRegistration* registration = nullptr;
  if (context->GetNodeAndRegistration(context,
                                      params->nodes_to_replace->data[0], &node,
                                      &registration) != kTfLiteOk ||
      node == nullptr || registration == nullptr) {
    return nullptr;
  }
  const OpRow* row = FindOp(*context, *node, *registration);
  if (row == nullptr) return nullptr;
  return NoThrow(
      [&]() -> void* {
        NodeOptions options;
        options.custom = static_cast<const uint8_t*>(node->custom_initial_data);
        options.custom_size =
            static_cast<size_t>(node->custom_initial_data_size);
        options.builtin = node->builtin_data;
        const auto& resources = *static_cast<std::shared_ptr<OpResources>*>(
            params->delegate->data_);
        options.low_memory =
            resources->low_memory && !resources->loop_graphs.Has(context);
        std::unique_ptr<Op> op = row->make(options, resources);
        op->Bind(node->inputs, node->outputs);
        op->BindReadOutputs(params->output_tensors);
        op->Attach(context);
        return op.release();
      },
      ReturnNull);
}

void Free(TfLiteContext* context, void* user_data) {
  Op* op = static_cast<Op*>(user_data);
  if (op == nullptr) return;
  op->Detach(context);
  delete op;
}

// Runs `step(op)` and reports its error.
template <typename Step>
TfLiteStatus Run(TfLiteContext* context, TfLiteNode* node, Step step) {
  Op* op = static_cast<Op*>(node->user_data);
  if (op == nullptr) return ReportOutOfMemory(context);
  return NoThrow(
      [&] {
        const Error error = step(op);
        if (error.empty()) return kTfLiteOk;
        context->ReportError(context, "%s: %s", op->Label(*context).c_str(),
                             error.c_str());
        return kTfLiteError;
      },
      [&] { return ReportOutOfMemory(context); });
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  return Run(context, node, [&](Op* op) { return op->Prepare(context); });
}

TfLiteStatus BindAndPrepare(TfLiteContext* context, TfLiteNode* node) {
  return Run(context, node, [&](Op* op) {
    op->Bind(node->inputs, node->outputs);
    return op->Prepare(context);
  });
}

TfLiteStatus Eval(TfLiteContext* context, TfLiteNode* node) {
  return Run(context, node, [&](Op* op) { return op->Eval(context); });
}

}  // namespace

const OpRow* FindCustomOp(const char* name) {
  for (const OpRow& op : kOps) {
    if (op.is_custom() && std::strcmp(op.name, name) == 0) return &op;
  }
  return nullptr;
}

const OpRow* FindOp(const TfLiteContext& context, const TfLiteNode& node,
                    const TfLiteRegistration& registration) {
  if (registration.builtin_code == kCustom) {
    return registration.custom_name == nullptr
               ? nullptr
               : FindCustomOp(registration.custom_name);
  }
  for (const OpRow& op : kOps) {
    if (op.builtin_code == registration.builtin_code &&
        op.can_compute(context, node)) {
      return &op;
    }
  }
  return nullptr;
}

TfLiteRegistration MakeRegistration(const OpRow& op) {
  TfLiteRegistration registration = {};
  registration.init = kInits[static_cast<size_t>(&op - kOps)];
  registration.free = Free;
  registration.prepare = BindAndPrepare;
  registration.invoke = Eval;
  registration.builtin_code = kCustom;
  registration.custom_name = op.name;
  registration.version = 1;
  return registration;
}

TfLiteRegistration MakeDelegateRegistration(const OpRow& op) {
  TfLiteRegistration registration = MakeRegistration(op);
  registration.init = InitForDelegate;
  registration.prepare = Prepare;
  return registration;
}

}  // namespace keras_dc
