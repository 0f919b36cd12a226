// The callbacks a runtime calls, for both ways in: resolver and delegate.
#ifndef KERAS_DC_SRC_TFLITE_OPS_H_
#define KERAS_DC_SRC_TFLITE_OPS_H_

#include <memory>

#include "keras_dc/tflite_abi.h"
#include "tflite/blob_cache.h"

namespace keras_dc {

inline constexpr char kFullyConnectedName[] = "KerasDcFullyConnected";
inline constexpr char kConv2DName[] = "KerasDcConv2D";
inline constexpr char kDecodeName[] = "KerasDcDecode";

// The op's name as this library spells it, or null if it is not one of ours.
const char* FindOpName(const TfLiteRegistration& registration);

// For an op resolver.
TfLiteRegistration MakeRegistration(const char* op_name);

// For a node that the delegate claims, one of ours or a pooling, under the name
// given: `MakeRegistration` with another Init, which reads the node that is
// replaced. `data_` of the delegate must point to
// a std::shared_ptr<WeightCaches>.
TfLiteRegistration MakeDelegateRegistration(const char* op_name);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_OPS_H_
