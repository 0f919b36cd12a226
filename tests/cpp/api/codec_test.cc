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

TEST(Codec, AnEncoderThatRefusesGivesNothing) {
  const float values[] = {1, 2};
  const int64_t shape[] = {2};
  kdc_bytes* blob = nullptr;
  ASSERT_EQ(kdc_encode(values, KDC_FLOAT32, shape, 1, &blob), KDC_OK);
  const std::vector<uint8_t> bytes = TakeBytes(blob);
  EXPECT_EQ(bytes, EncodeFloats({1, 2}, {2}));
  EXPECT_EQ(kdc_encode(values, KDC_FLOAT32, shape, 1, nullptr),
            KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_encode(values, 99, shape, 1, &blob), KDC_INVALID_ARGUMENT);
  EXPECT_EQ(blob, nullptr);
  EXPECT_EQ(kdc_encode_scaled(values, KDC_FLOAT32, shape, 1, nullptr, 0,
                              nullptr, KDC_FIRST_AXIS, &blob),
            KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_recode(bytes.data(), bytes.size() - 1, 1, &blob),
            KDC_BAD_CHECKSUM);
  EXPECT_EQ(blob, nullptr);
  EXPECT_EQ(kdc_bytes_data(nullptr), nullptr);
  EXPECT_EQ(kdc_bytes_size(nullptr), 0u);
  kdc_free_bytes(nullptr);
}

}  // namespace
}  // namespace keras_dc
