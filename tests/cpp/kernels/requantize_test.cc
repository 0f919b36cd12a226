#include "kernels/requantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/int8_weights.h"
#include "kernels/tile/int8_tile.h"

namespace keras_dc {
namespace {

TEST(QuantizeScale, IsAFractionTimesAPowerOfTwo) {
  QuantizedScale scale;
  ASSERT_TRUE(QuantizeScale(0.75, &scale));
  EXPECT_EQ(scale.multiplier, 0x60000000);
  EXPECT_EQ(scale.shift, 0);
  ASSERT_TRUE(QuantizeScale(1.0, &scale));
  EXPECT_EQ(scale.multiplier, 0x40000000);
  EXPECT_EQ(scale.shift, 1);
  // Rounds up to the next power of two.
  ASSERT_TRUE(QuantizeScale(std::nextafter(0.25, 0.0), &scale));
  EXPECT_EQ(scale.multiplier, 0x40000000);
  EXPECT_EQ(scale.shift, -1);
}

TEST(QuantizeScale, TinyOnesAreZeroAndHugeOnesAreRefused) {
  QuantizedScale scale;
  ASSERT_TRUE(QuantizeScale(0.0, &scale));
  EXPECT_EQ(scale.multiplier, 0);
  ASSERT_TRUE(QuantizeScale(std::ldexp(0.9, -32), &scale));
  EXPECT_EQ(scale.multiplier, 0);
  ASSERT_TRUE(QuantizeScale(std::ldexp(0.9, -31), &scale));
  EXPECT_EQ(scale.shift, -31);
  EXPECT_TRUE(QuantizeScale(std::ldexp(0.9, 30), &scale));
  EXPECT_FALSE(QuantizeScale(std::ldexp(0.9, 31), &scale));
  EXPECT_FALSE(QuantizeScale(-1.0, &scale));
  EXPECT_FALSE(QuantizeScale(std::numeric_limits<double>::infinity(), &scale));
  EXPECT_FALSE(QuantizeScale(std::nan(""), &scale));
}

TEST(MultiplyByScale, RoundsHalvesOfTheProductUpAndOfTheShiftAway) {
  constexpr int32_t kHalf = 0x40000000;  // 1/2
  EXPECT_EQ(MultiplyByScale(3, kHalf, 0, 0), 2);
  EXPECT_EQ(MultiplyByScale(-3, kHalf, 0, 0), -1);
  EXPECT_EQ(MultiplyByScale(6, kHalf, 0, 1), 2);
  EXPECT_EQ(MultiplyByScale(-6, kHalf, 0, 1), -2);
  EXPECT_EQ(MultiplyByScale(5, kHalf, 3, 0), 20);
}

TEST(MultiplyByScale, OnceRoundsHalvesUp) {
  constexpr int32_t kHalf = 0x40000000;  // 1/2
  EXPECT_EQ(MultiplyByScaleOnce(6, kHalf, 0, 1), 2);
  EXPECT_EQ(MultiplyByScaleOnce(-6, kHalf, 0, 1), -1);
  // Twice rounded, 1.25 becomes 1.5 before it becomes 2.
  EXPECT_EQ(MultiplyByScaleOnce(5, kHalf, 0, 1), 1);
  EXPECT_EQ(MultiplyByScale(5, kHalf, 0, 1), 2);
  EXPECT_EQ(MultiplyByScaleOnce(5, kHalf, 3, 0), 20);
}

TEST(OutputScaling, SetRangeQuantizesTheBoundsOfTheActivation) {
  OutputScaling scaling;
  scaling.zero_point = -10;
  ASSERT_TRUE(scaling.SetRange(Activation::kRelu6, 0.1f));
  EXPECT_EQ(scaling.lowest, -10);
  EXPECT_EQ(scaling.highest, 50);
  ASSERT_TRUE(scaling.SetRange(Activation::kReluN1To1, 0.5f));
  EXPECT_EQ(scaling.lowest, -12);
  EXPECT_EQ(scaling.highest, -8);
  ASSERT_TRUE(scaling.SetRange(Activation::kRelu, 0.1f));
  EXPECT_EQ(scaling.highest, 127);
  ASSERT_TRUE(scaling.SetRange(Activation::kNone, 0.1f));
  EXPECT_EQ(scaling.lowest, -128);
  EXPECT_FALSE(scaling.SetRange(Activation::kRelu6, 1e-10f));
  EXPECT_FALSE(scaling.SetRange(Activation::kTanh, 0.1f));
}

TEST(Requantize, EachKernelGivesTheDefinition) {
  constexpr size_t kRows = 53;
  std::mt19937 random(3);
  for (const Isa isa : SupportedIsas()) {
    const Requantize requantize = Int8TileKernelOf(isa).requantize;
    for (unsigned seed = 0; seed < 200; ++seed) {
      OutputScaling scaling = RandomScaling(kRows, 20.0, seed);
      std::vector<int32_t> sums;
      for (size_t row = 0; row < kRows; ++row) {
        sums.push_back(static_cast<int32_t>(random()) >> random() % 32);
        if (random() % 16 == 0) sums.back() = INT32_MIN;
        if (random() % 16 == 0) sums.back() = INT32_MAX;
        // Every shift there is.
        const int shift = static_cast<int>(random() % 62) - 31;
        scaling.left_shifts[row] = std::max(shift, 0);
        scaling.right_shifts[row] = std::max(-shift, 0);
      }
      for (size_t size : {kRows, size_t{1}, size_t{16}}) {
        std::vector<int8_t> outputs(size + 1, 77);
        requantize(OutputScalingView(scaling, 0), size, sums.data(),
                   outputs.data());
        for (size_t row = 0; row < size; ++row) {
          ASSERT_EQ(outputs[row], OutputByDefinition(scaling, row, sums[row]))
              << IsaName(isa) << " sum " << sums[row] << " multiplier "
              << scaling.multipliers[row] << " left "
              << scaling.left_shifts[row] << " right "
              << scaling.right_shifts[row];
        }
        EXPECT_EQ(outputs[size], 77);
      }
    }
  }
}

}  // namespace
}  // namespace keras_dc
