#include <gtest/gtest.h>

#include <random>

#include "decode/number_reader.h"
#include "encode/number_writer.h"

namespace keras_dc {
namespace {

// Random numbers. Their byte `i` has alphabets[i] distinct values.
PackedNumbers RandomNumbers(size_t count,
                            const std::vector<unsigned>& alphabets) {
  std::mt19937 random(7);
  PackedNumbers numbers;
  numbers.item_size = alphabets.size();
  for (size_t i = 0; i < count * alphabets.size(); ++i) {
    numbers.bytes.push_back(
        static_cast<uint8_t>(3 * (random() % alphabets[i % alphabets.size()])));
  }
  return numbers;
}

TEST(Numbers, ComeBackByPlanes) {
  const std::vector<std::vector<unsigned>> items = {
      {9}, {256, 5}, {256, 256, 40, 1}, {256, 256, 256, 256, 256, 90, 9, 2}};
  for (const std::vector<unsigned>& alphabets : items) {
    for (const int num_streams : {1, 4, 8}) {
      SCOPED_TRACE(10 * alphabets.size() + static_cast<size_t>(num_streams));
      const PackedNumbers numbers = RandomNumbers(5000, alphabets);
      const PlanePlan plan = PlanPlanes(numbers, num_streams);
      std::vector<uint8_t> written;
      WriteNumbers(numbers, plan, num_streams, &written);
      // Planes with all 256 bytes are not coded.
      for (size_t plane = 0; plane < alphabets.size(); ++plane) {
        EXPECT_EQ((plan.coded >> plane & 1) != 0,
                  alphabets[alphabets.size() - 1 - plane] < 256);
      }
      EXPECT_LE(written.size(), plan.size_bytes);
      // The size is exact with one stream. With several, their byte counts may
      // be shorter than planned.
      EXPECT_TRUE(num_streams > 1 || written.size() == plan.size_bytes);

      StoredNumbers stored;
      stored.count = numbers.count();
      stored.item_size = numbers.item_size;
      ByteReader reader(written.data(), written.size());
      ASSERT_EQ(ReadNumbers(&reader, true, num_streams, &stored), KDC_OK);
      EXPECT_EQ(reader.remaining(), 0u);
      std::vector<uint8_t> unpacked(stored.num_bytes());
      ASSERT_EQ(UnpackNumbers(stored, unpacked.data()), KDC_OK);
      EXPECT_EQ(unpacked, numbers.bytes);
      for (size_t size = 0; size < written.size(); size += 97) {
        ByteReader cut(written.data(), size);
        EXPECT_EQ(ReadNumbers(&cut, true, num_streams, &stored), KDC_TRUNCATED);
      }
    }
  }
}

TEST(Numbers, StayAsTheyAreWhereNoPlanePays) {
  const PackedNumbers noise = RandomNumbers(300, {256, 256});
  for (const PackedNumbers& numbers : {noise, RandomNumbers(3, {1, 1})}) {
    const PlanePlan plan = PlanPlanes(numbers, 1);
    EXPECT_EQ(plan.coded, 0);
    EXPECT_EQ(plan.size_bytes, numbers.bytes.size());
    std::vector<uint8_t> written;
    WriteNumbers(numbers, plan, 1, &written);
    EXPECT_EQ(written, numbers.bytes);
  }
}

}  // namespace
}  // namespace keras_dc
