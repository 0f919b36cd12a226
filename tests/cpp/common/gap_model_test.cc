#include "common/gap_model.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "common/range_coder.h"

namespace keras_dc {
namespace {

void ExpectRoundTrip(uint64_t num_weights, const std::vector<uint64_t>& gaps) {
  std::vector<uint8_t> bytes;
  RangeEncoder encoder(&bytes);
  GapModel writer(num_weights, gaps.size());
  for (const uint64_t gap : gaps) writer.Code(&encoder, gap);
  encoder.Finish();
  RangeDecoder decoder(bytes.data(), bytes.size());
  GapModel reader(num_weights, gaps.size());
  for (const uint64_t gap : gaps) EXPECT_EQ(reader.Code(&decoder, 0), gap);
  EXPECT_TRUE(decoder.AtCleanEnd());
}

TEST(GapModel, GapsOfAllSizesComeBack) {
  constexpr uint64_t kMostWeights = 0x7fffffff;
  std::mt19937 random(1);
  for (int bits = 0; bits <= 31; ++bits) {
    const uint64_t most =
        bits == 31 ? kMostWeights - 1 : (uint64_t{1} << bits) - 1;
    for (const uint64_t num_weights :
         {most + 200, uint64_t{400}, kMostWeights}) {
      std::vector<uint64_t> gaps = {most, 0, most, most, most / 2, 1};
      for (int i = 0; i < 100; ++i) gaps.push_back(random() % (most + 1));
      ExpectRoundTrip(std::max<uint64_t>(num_weights, gaps.size()), gaps);
    }
  }
}

TEST(GapModel, LongRunsOfAGapComeBack) {
  for (const uint64_t gap : {0u, 1u, 15u, 16u, 17u, 1000u, 0x7ffffffeu}) {
    ExpectRoundTrip(0x7fffffff, std::vector<uint64_t>(3000, gap));
  }
}

// No state of the model is left by any number that a damaged stream gives. To
// be run with the sanitizers.
TEST(GapModel, ADamagedStreamGivesNoMoreThanTheMost) {
  std::mt19937 random(2);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint8_t> bytes(static_cast<size_t>(round));
    for (uint8_t& byte : bytes) {
      byte = round % 3 == 0   ? uint8_t{0}
             : round % 3 == 1 ? uint8_t{255}
                              : static_cast<uint8_t>(random());
    }
    RangeDecoder decoder(bytes.data(), bytes.size());
    GapModel model(round % 2 == 0 ? 0x7fffffff : 1000, 1);
    for (int i = 0; i < 1000; ++i) {
      EXPECT_LE(model.Code(&decoder, 0), 0xffffffffu);
    }
  }
}

}  // namespace
}  // namespace keras_dc
