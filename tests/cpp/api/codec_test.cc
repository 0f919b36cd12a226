// The C ABI's handle of a blob.
#include "keras_dc/codec.h"

#include <gtest/gtest.h>

#include <vector>

#include "fake_runtime.h"

namespace keras_dc {
namespace {

TEST(Codec, AnOpenBlobGivesItsInfoItsValuesAndItsEntries) {
  const std::vector<float> weights = {0, 2, 0, 1, 0, 2};
  const std::vector<uint8_t> bytes = EncodeFloats(weights, {2, 3});
  kdc_blob* blob = nullptr;
  ASSERT_EQ(kdc_open(bytes.data(), bytes.size(), &blob), KDC_OK);
  kdc_blob_info info;
  ASSERT_EQ(kdc_get_info(blob, &info), KDC_OK);
  EXPECT_EQ(info.num_weights, 6);
  for (int i = 0; i < 2; ++i) {
    std::vector<float> values(6);
    EXPECT_EQ(kdc_decode(blob, values.data(), 5 * sizeof(float)),
              KDC_WRONG_BUFFER_SIZE);
    EXPECT_EQ(kdc_decode(blob, values.data(), 6 * sizeof(float)), KDC_OK);
    EXPECT_EQ(values, weights);
  }
  kdc_close(blob);
}

TEST(Codec, RefusesNullAndGivesNoHandleOfABadBlob) {
  const std::vector<uint8_t> bytes = EncodeFloats({1, 2}, {2});
  kdc_blob* blob = nullptr;
  EXPECT_EQ(kdc_open(bytes.data(), bytes.size(), nullptr),
            KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_open(nullptr, 4, &blob), KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_open(bytes.data(), bytes.size() - 1, &blob), KDC_BAD_CHECKSUM);
  EXPECT_EQ(blob, nullptr);
  kdc_blob_info info;
  float value;
  uint32_t number;
  uint8_t index;
  EXPECT_EQ(kdc_get_info(nullptr, &info), KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_decode(nullptr, &value, sizeof(value)), KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_decode_entries(nullptr, &number, 1, &number, &index, 1),
            KDC_INVALID_ARGUMENT);
  kdc_close(nullptr);
}

}  // namespace
}  // namespace keras_dc
