// The table of this library's ops, and the callbacks by which a runtime calls
// them, through an op resolver or the delegate. A new op is one file and one
// row.
#ifndef KERAS_DC_SRC_TFLITE_OP_TABLE_H_
#define KERAS_DC_SRC_TFLITE_OP_TABLE_H_

#include <cstddef>
#include <iterator>
#include <memory>

#include "keras_dc/tflite_abi.h"
#include "tflite/op.h"

namespace keras_dc {

struct OpRow {
  // The name of a custom op in models. For an op of the runtime, the name of
  // the node by which the delegate replaces it.
  const char* name;
  std::unique_ptr<Op> (*make)(const NodeOptions& options,
                              std::shared_ptr<OpResources> resources);
  // Whether it computes: the delegate takes over a pooling that follows a
  // layer.
  bool is_layer;
  // The op's code in the schema. For an op of the runtime, `can_compute` tells
  // whether the delegate can take over a node; it is null for a custom op.
  int builtin_code;
  bool (*can_compute)(const TfLiteContext& context, const TfLiteNode& node);

  bool is_custom() const { return can_compute == nullptr; }
};

// Each is defined in the file of its op.
using MakeOp = std::unique_ptr<Op>(const NodeOptions& options,
                                   std::shared_ptr<OpResources> resources);
MakeOp MakeFullyConnected, MakeConv2D, MakeDecode;
MakeOp MakeAveragePool2D, MakeMaxPool2D;
bool CanPool2D(const TfLiteContext& context, const TfLiteNode& node);

inline constexpr int kCustom = 32;

// Custom ops first.
inline constexpr OpRow kOps[] = {
    {"KerasDcFullyConnected", MakeFullyConnected, true, kCustom, nullptr},
    {"KerasDcConv2D", MakeConv2D, true, kCustom, nullptr},
    {"KerasDcDecode", MakeDecode, false, kCustom, nullptr},
    {"KerasDcAveragePool2D", MakeAveragePool2D, true, 1, CanPool2D},
    {"KerasDcMaxPool2D", MakeMaxPool2D, true, 17, CanPool2D},
};
inline constexpr size_t kNumOps = std::size(kOps);

// The row of a custom op by its name, or null.
const OpRow* FindCustomOp(const char* name);
// The row of the op that can compute the node, or null.
const OpRow* FindOp(const TfLiteContext& context, const TfLiteNode& node,
                    const TfLiteRegistration& registration);

// The registration for an op resolver; `op` is a custom op of the table.
TfLiteRegistration MakeRegistration(const OpRow& op);

// The registration for a node that the delegate claims. `data_` of the delegate
// must point to a std::shared_ptr<OpResources>.
TfLiteRegistration MakeDelegateRegistration(const OpRow& op);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_OP_TABLE_H_
