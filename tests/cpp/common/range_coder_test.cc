#include "common/range_coder.h"

#include <gtest/gtest.h>

#include <random>

namespace keras_dc {
namespace {

// A bit of a probability, or a number of equally likely bits.
struct Step {
  bool is_equal = false;
  int32_t probability = 0;  // or the number of bits
  uint32_t number = 0;
};

std::vector<uint8_t> Encoded(const std::vector<Step>& steps) {
  std::vector<uint8_t> bytes;
  RangeEncoder encoder(&bytes);
  for (const Step& step : steps) {
    if (step.is_equal) {
      encoder.CodeEqual(step.number, step.probability);
    } else {
      encoder.Encode(static_cast<int>(step.number), step.probability);
    }
  }
  encoder.Finish();
  return bytes;
}

// Whether the stream holds these steps, and ends behind them.
bool Holds(const std::vector<uint8_t>& bytes, const std::vector<Step>& steps) {
  RangeDecoder decoder(bytes.data(), bytes.size());
  for (const Step& step : steps) {
    const uint32_t number =
        step.is_equal ? decoder.CodeEqual(0, step.probability)
                      : static_cast<uint32_t>(decoder.Decode(step.probability));
    if (number != step.number) return false;
  }
  return decoder.AtCleanEnd();
}

Step RandomStep(std::mt19937* random) {
  Step step;
  step.is_equal = (*random)() % 4 == 0;
  if (step.is_equal) {
    step.probability = static_cast<int32_t>((*random)() % 17);
    step.number = static_cast<uint32_t>((*random)()) &
                  ((1u << static_cast<unsigned>(step.probability)) - 1);
    return step;
  }
  // All probabilities that models give, extreme ones often; bits that are
  // likely, or all the same.
  const uint32_t kind = static_cast<uint32_t>((*random)()) % 4;
  step.probability =
      kind == 0   ? 32
      : kind == 1 ? 65504
                  : static_cast<int32_t>(32 + (*random)() % (65504 - 31));
  const bool is_likely = (*random)() % 16 != 0;
  step.number = (step.probability > 32768) == is_likely ? 1 : 0;
  return step;
}

TEST(RangeCoder, RandomStepsComeBack) {
  std::mt19937 random(1);
  for (size_t round = 0; round < 600; ++round) {
    std::vector<Step> steps(round % 300);
    for (Step& step : steps) step = RandomStep(&random);
    EXPECT_TRUE(Holds(Encoded(steps), steps)) << round;
  }
}

TEST(RangeCoder, NothingTakesNoBytes) {
  EXPECT_TRUE(Encoded({}).empty());
  EXPECT_TRUE(Holds({}, {}));
  // A 1 takes the lower part, and so does a number of zero.
  const std::vector<Step> steps = {{false, 65504, 1}, {true, 16, 0}};
  EXPECT_TRUE(Encoded(steps).empty());
}

// The upper end of the range all along, so that low is carried over many bytes.
TEST(RangeCoder, CarriesRunThroughWrittenBytes) {
  std::mt19937 random(2);
  for (size_t size = 1; size < 400; ++size) {
    std::vector<Step> steps;
    for (size_t i = 0; i < size; ++i) {
      steps.push_back({true, 16, i % 97 == 96 ? 0xfffe : 0xffffu});
    }
    for (size_t i = 0; i < 40; ++i) steps.push_back(RandomStep(&random));
    EXPECT_TRUE(Holds(Encoded(steps), steps)) << size;
  }
}

// Whatever the bytes, at most one ending of the same symbols is taken.
TEST(RangeCoder, RefusesEveryOtherEnding) {
  std::mt19937 random(3);
  for (size_t round = 0; round < 300; ++round) {
    std::vector<Step> steps(1 + round % 60);
    for (Step& step : steps) step = RandomStep(&random);
    const std::vector<uint8_t> bytes = Encoded(steps);
    for (size_t added = 1; added <= 12; ++added) {
      for (const unsigned value : {0u, 1u, 128u, 255u}) {
        const auto byte = static_cast<uint8_t>(value);
        std::vector<uint8_t> longer = bytes;
        longer.resize(bytes.size() + added, byte);
        EXPECT_FALSE(Holds(longer, steps));
        longer.assign(bytes.begin(), bytes.end());
        longer.resize(bytes.size() + added - 1, 0);
        longer.push_back(byte);
        EXPECT_FALSE(Holds(longer, steps));
      }
    }
    for (size_t place = 0; place < bytes.size(); ++place) {
      for (unsigned other = 0; other < 256; ++other) {
        std::vector<uint8_t> changed = bytes;
        changed[place] = static_cast<uint8_t>(other);
        EXPECT_EQ(Holds(changed, steps), changed == bytes);
      }
      EXPECT_FALSE(Holds({bytes.begin(), bytes.end() - 1}, steps));
    }
  }
}

TEST(RangeCoder, AppendsToWhatIsThere) {
  std::vector<uint8_t> bytes = {0, 0xff, 0};
  RangeEncoder encoder(&bytes);
  for (int i = 0; i < 30; ++i) encoder.CodeEqual(0xffff, 16);
  encoder.Finish();
  ASSERT_GT(bytes.size(), 3u);
  EXPECT_EQ(std::vector<uint8_t>(bytes.begin(), bytes.begin() + 3),
            (std::vector<uint8_t>{0, 0xff, 0}));
}

}  // namespace
}  // namespace keras_dc
