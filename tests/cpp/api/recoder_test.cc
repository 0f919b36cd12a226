#include "api/recoder.h"

#include <gtest/gtest.h>

#include "blob_kinds.h"

namespace keras_dc {
namespace {

// Two kept weights 1024 apart are farther apart than the longest period that is
// tried. To be run with AddressSanitizer.
TEST(Recode, CountsNoPeriodBeyondTheLongest) {
  std::vector<float> weights(3000);
  weights[0] = weights[1023] = weights[1024] = weights[1025] = 1.0f;
  const std::vector<uint8_t> blob = EncodeFloats(weights, {1, 3000});
  for (const bool has_mask_model : {false, true}) {
    const std::vector<uint8_t> recoded = Recoded(blob, has_mask_model);
    EXPECT_EQ(KindOf("", {1, 3000}, recoded).values, weights);
  }
}

}  // namespace
}  // namespace keras_dc
