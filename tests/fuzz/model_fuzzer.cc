// Any bytes as a model: the check reads nothing outside of them, and ends.
#include <cstddef>
#include <cstdint>

#include "keras_dc/model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kdc_check_model(data, size);
  return 0;
}
