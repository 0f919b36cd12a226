// The mixer's loops for this machine compute what the plain ones do.
#include "bytes/mixer_loops.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "bytes/mixer_loops_impl.h"

namespace keras_dc {
namespace {

TEST(MixerLoops, AgreeWithThePlainOnes) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int32_t> logit(-2047, 2047);
  std::uniform_int_distribution<int32_t> weight(-kMostMixerWeight,
                                                kMostMixerWeight);
  const MixerLoops& loops = FastestMixerLoops();
  for (size_t size = 0; size <= 24; size += 8) {
    for (int round = 0; round < 100; ++round) {
      std::vector<int32_t> logits(24), weights(24);
      for (int32_t& each : logits) each = logit(random);
      for (int32_t& each : weights) each = weight(random);
      EXPECT_EQ(loops.dot_product(weights.data(), logits.data(), size),
                DotProduct(weights.data(), logits.data(), size));
      std::vector<int32_t> plain = weights;
      const int32_t error = logit(random) * 12;
      loops.move_weights(error, logits.data(), size, weights.data());
      MoveWeights(error, logits.data(), size, plain.data());
      EXPECT_EQ(weights, plain);
    }
  }
}

TEST(MixerLoops, BoundWeights) {
  std::vector<int32_t> weights(8, kMostMixerWeight), logits(8, 2047);
  FastestMixerLoops().move_weights(24576, logits.data(), 8, weights.data());
  EXPECT_EQ(weights, std::vector<int32_t>(8, kMostMixerWeight));
}

}  // namespace
}  // namespace keras_dc
