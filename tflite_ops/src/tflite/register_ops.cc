#include "keras_dc/register_ops.h"

#include <array>

#include "tflite/op_table.h"

const TfLiteRegistration* kdc_registration(size_t index) {
  static const auto registrations = [] {
    std::array<TfLiteRegistration, keras_dc::kNumOps> made = {};
    for (size_t i = 0; i < made.size(); ++i) {
      made[i] = keras_dc::MakeRegistration(keras_dc::kOps[i]);
    }
    return made;
  }();
  const bool is_custom =
      index < keras_dc::kNumOps && keras_dc::kOps[index].is_custom();
  return is_custom ? &registrations[index] : nullptr;
}
