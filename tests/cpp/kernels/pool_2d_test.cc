#include "kernels/pool_2d.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <ostream>
#include <random>
#include <vector>

#include "kernels/activation.h"

namespace keras_dc {
namespace {

struct Case {
  Pooling pooling;
  int64_t height, width, channels;
  int64_t window_height, window_width, stride;
  bool is_same = false;
  int64_t batch = 2;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << (c.pooling == Pooling::kMax ? "max " : "average ") << c.height
             << "x" << c.width << "x" << c.channels << " window "
             << c.window_height << "x" << c.window_width << " stride "
             << c.stride << " same " << c.is_same;
}

ConvAxis MakeAxis(const Case& c, int64_t input, int64_t window) {
  ConvAxis axis;
  axis.input = input;
  axis.kernel = window;
  axis.stride = c.stride;
  axis.output = c.is_same ? (input + c.stride - 1) / c.stride
                          : (input - window) / c.stride + 1;
  if (c.is_same) {
    axis.padding =
        std::max<int64_t>((axis.output - 1) * c.stride + window - input, 0) / 2;
  }
  return axis;
}

ConvShape MakeShape(const Case& c) {
  ConvShape shape;
  shape.batch = static_cast<size_t>(c.batch);
  shape.height = MakeAxis(c, c.height, c.window_height);
  shape.width = MakeAxis(c, c.width, c.window_width);
  return shape;
}

std::vector<float> RandomInput(const Case& c) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> values(
      static_cast<size_t>(c.batch * c.height * c.width * c.channels));
  for (float& value : values) value = normal(random);
  return values;
}

// The oracle: the definition, with sums in the order that the header promises.
std::vector<float> Reference(const Case& c, const std::vector<float>& input,
                             const OutputRange& range) {
  const ConvShape shape = MakeShape(c);
  std::vector<float> output;
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t y = 0; y < shape.height.output; ++y)
      for (int64_t x = 0; x < shape.width.output; ++x)
        for (int64_t i = 0; i < c.channels; ++i) {
          float most = -std::numeric_limits<float>::infinity(), sum = 0.0f;
          int count = 0;
          for (int64_t ky = 0; ky < c.window_height; ++ky)
            for (int64_t kx = 0; kx < c.window_width; ++kx) {
              const int64_t in_y = y * c.stride + ky - shape.height.padding;
              const int64_t in_x = x * c.stride + kx - shape.width.padding;
              if (in_y < 0 || in_y >= c.height || in_x < 0 || in_x >= c.width) {
                continue;
              }
              const float value = input[static_cast<size_t>(
                  ((b * c.height + in_y) * c.width + in_x) * c.channels + i)];
              most = std::max(most, value);
              sum += value;
              ++count;
            }
          const float value = c.pooling == Pooling::kMax
                                  ? most
                                  : sum / static_cast<float>(count);
          output.push_back(
              std::min(std::max(value, range.lowest), range.highest));
        }
  return output;
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Pooling pooling : {Pooling::kMax, Pooling::kAverage}) {
    for (const int64_t channels : {1, 3, 4, 8, 16, 20, 35}) {
      cases.push_back({pooling, 9, 12, channels, 2, 2, 2});
    }
    cases.push_back({pooling, 9, 12, 20, 3, 3, 2, true});
    cases.push_back({pooling, 9, 12, 20, 3, 2, 1, true});
    cases.push_back({pooling, 7, 5, 6, 7, 5, 1});
    cases.push_back({pooling, 7, 5, 33, 9, 11, 3, true});
    cases.push_back({pooling, 7, 5, 17, 1, 1, 3});
    // Large enough for threads.
    cases.push_back({pooling, 64, 64, 40, 3, 3, 1, true});
  }
  return cases;
}

TEST(Pool2D, AgreesWithTheDefinitionToTheBit) {
  ThreadPool pool;
  for (const Case& c : Cases()) {
    const std::vector<float> input = RandomInput(c);
    for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
      const OutputRange range = RangeOf(activation);
      const std::vector<float> expected = Reference(c, input, range);
      for (const Isa isa : SupportedIsas()) {
        for (const size_t num_threads : {1, 3}) {
          std::vector<float> output(expected.size(), -9.0f);
          Pool2D(c.pooling, MakeShape(c), static_cast<size_t>(c.channels),
                 range, isa, num_threads, &pool, input.data(), output.data());
          EXPECT_EQ(output, expected) << c << " " << IsaName(isa);
        }
      }
    }
  }
  EXPECT_GT(pool.num_started(), 0u);
}

TEST(Pool2D, KeepsInfinities) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const Case c = {Pooling::kMax, 2, 4, 1, 2, 2, 2, false, 1};
  const std::vector<float> input = {-kInf, -kInf, 1, kInf, -kInf, -kInf, 2, 3};
  for (const Isa isa : SupportedIsas()) {
    std::vector<float> output(2);
    Pool2D(c.pooling, MakeShape(c), 1, RangeOf(Activation::kNone), isa, 1,
           nullptr, input.data(), output.data());
    EXPECT_EQ(output, (std::vector<float>{-kInf, kInf}));
  }
}

}  // namespace
}  // namespace keras_dc
