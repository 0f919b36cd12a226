// The runtime's own float32 pooling, which the delegate takes over where it
// follows an op of ours: alone between two of them, it would make another
// delegate wake its threads for next to nothing.
#ifndef KERAS_DC_SRC_TFLITE_POOL_2D_OP_H_
#define KERAS_DC_SRC_TFLITE_POOL_2D_OP_H_

#include <memory>

#include "tflite/op.h"

namespace keras_dc {

// The name that the node then has, or null if it is not such a pooling, or one
// whose options the runtime had better judge.
const char* FindPool2DName(const TfLiteContext& context, const TfLiteNode& node,
                           const TfLiteRegistration& registration);

// For a node that FindPool2DName has a name for.
std::unique_ptr<Op> MakePool2D(const TfLiteNode& node,
                               const TfLiteRegistration& registration,
                               std::shared_ptr<WeightCaches> caches);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_POOL_2D_OP_H_
