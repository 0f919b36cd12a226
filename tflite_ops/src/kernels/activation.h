// Fused activations, numbered as in the TFLite schema.
#ifndef KERAS_DC_SRC_KERNELS_ACTIVATION_H_
#define KERAS_DC_SRC_KERNELS_ACTIVATION_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace keras_dc {

enum class Activation : uint8_t {
  kNone = 0,
  kRelu = 1,
  kReluN1To1 = 2,
  kRelu6 = 3,
  kTanh = 4,
};

inline constexpr uint8_t kNumActivations = 5;

// Applies the activation in place. A NaN stays a NaN, as in TFLite: std::max
// and std::min return their first argument if the comparison is false.
inline void ApplyActivation(Activation activation, size_t size, float* values) {
  const auto clamp = [size, values](float low, float high) {
    for (size_t i = 0; i < size; ++i) {
      values[i] = std::min(std::max(values[i], low), high);
    }
  };
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kRelu:
      for (size_t i = 0; i < size; ++i) values[i] = std::max(values[i], 0.0f);
      return;
    case Activation::kReluN1To1:
      return clamp(-1.0f, 1.0f);
    case Activation::kRelu6:
      return clamp(0.0f, 6.0f);
    case Activation::kTanh:
      for (size_t i = 0; i < size; ++i) values[i] = std::tanh(values[i]);
      return;
  }
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_ACTIVATION_H_
