#include "tflite/ops.h"

#include <cstring>
#include <exception>
#include <utility>

#include "tflite/op.h"
#include "tflite/pool_2d_op.h"

namespace keras_dc {
namespace {

constexpr int kBuiltinCustom = 32;

std::unique_ptr<Op> MakeOp(const char* op_name, const void* options,
                           size_t options_size,
                           std::shared_ptr<WeightCaches> caches) {
  const auto* bytes = static_cast<const uint8_t*>(options);
  if (std::strcmp(op_name, kDecodeName) == 0) {
    return MakeDecode(std::move(caches));
  }
  if (std::strcmp(op_name, kConv2DName) == 0) {
    return MakeConv2D(bytes, options_size, std::move(caches));
  }
  return MakeFullyConnected(bytes, options_size, std::move(caches));
}

// No exception may reach the runtime; a null `user_data` is an error in
// Prepare.
template <const char* kName>
void* Init(TfLiteContext*, const char* options, size_t options_size) {
  try {
    return MakeOp(kName, options, options_size,
                  std::make_shared<WeightCaches>())
        .release();
  } catch (const std::exception&) {
    return nullptr;
  }
}

void* InitForDelegate(TfLiteContext* context, const char* buffer, size_t) {
  const auto* params = reinterpret_cast<const TfLiteDelegateParams*>(buffer);
  if (params == nullptr || params->nodes_to_replace->size != 1) return nullptr;
  TfLiteNode* node = nullptr;
  TfLiteRegistration* registration = nullptr;
  if (context->GetNodeAndRegistration(context,
                                      params->nodes_to_replace->data[0], &node,
                                      &registration) != kTfLiteOk) {
    return nullptr;
  }
  const char* op_name = FindOpName(*registration);
  const bool is_pooling =
      FindPool2DName(*context, *node, *registration) != nullptr;
  if (op_name == nullptr && !is_pooling) return nullptr;
  try {
    const auto& caches =
        *static_cast<std::shared_ptr<WeightCaches>*>(params->delegate->data_);
    std::unique_ptr<Op> op =
        is_pooling ? MakePool2D(*node, *registration, caches)
                   : MakeOp(op_name, node->custom_initial_data,
                            static_cast<size_t>(node->custom_initial_data_size),
                            caches);
    op->Bind(node->inputs, node->outputs);
    op->Attach(context);
    return op.release();
  } catch (const std::exception&) {
    return nullptr;
  }
}

void Free(TfLiteContext* context, void* user_data) {
  Op* op = static_cast<Op*>(user_data);
  if (op == nullptr) return;
  op->Detach(context);
  delete op;
}

TfLiteStatus Run(TfLiteContext* context, TfLiteNode* node,
                 Error (Op::*step)(TfLiteContext*)) {
  Op* op = static_cast<Op*>(node->user_data);
  const char* out_of_memory = kdc_status_message(KDC_OUT_OF_MEMORY);
  if (op == nullptr) {
    context->ReportError(context, "KerasDc: %s", out_of_memory);
    return kTfLiteError;
  }
  try {
    const Error error = (op->*step)(context);
    if (error.empty()) return kTfLiteOk;
    context->ReportError(context, "%s: %s", op->Label(*context).c_str(),
                         error.c_str());
  } catch (const std::exception&) {
    context->ReportError(context, "KerasDc: %s", out_of_memory);
  }
  return kTfLiteError;
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  return Run(context, node, &Op::Prepare);
}

TfLiteStatus PrepareBound(TfLiteContext* context, TfLiteNode* node) {
  try {
    if (node->user_data != nullptr) {
      static_cast<Op*>(node->user_data)->Bind(node->inputs, node->outputs);
    }
  } catch (const std::exception&) {
    context->ReportError(context, "KerasDc: %s",
                         kdc_status_message(KDC_OUT_OF_MEMORY));
    return kTfLiteError;
  }
  return Prepare(context, node);
}

TfLiteStatus Eval(TfLiteContext* context, TfLiteNode* node) {
  return Run(context, node, &Op::Eval);
}

}  // namespace

const char* FindOpName(const TfLiteRegistration& registration) {
  if (registration.builtin_code != kBuiltinCustom ||
      registration.custom_name == nullptr) {
    return nullptr;
  }
  for (const char* name : {kFullyConnectedName, kConv2DName, kDecodeName}) {
    if (std::strcmp(registration.custom_name, name) == 0) return name;
  }
  return nullptr;
}

TfLiteRegistration MakeRegistration(const char* op_name) {
  TfLiteRegistration registration = {};
  registration.init = std::strcmp(op_name, kDecodeName) == 0 ? Init<kDecodeName>
                      : std::strcmp(op_name, kConv2DName) == 0
                          ? Init<kConv2DName>
                          : Init<kFullyConnectedName>;
  registration.free = Free;
  registration.prepare = PrepareBound;
  registration.invoke = Eval;
  registration.builtin_code = kBuiltinCustom;
  registration.custom_name = op_name;
  registration.version = 1;
  return registration;
}

TfLiteRegistration MakeDelegateRegistration(const char* op_name) {
  TfLiteRegistration registration = MakeRegistration(op_name);
  registration.init = InitForDelegate;
  registration.prepare = Prepare;
  return registration;
}

}  // namespace keras_dc
