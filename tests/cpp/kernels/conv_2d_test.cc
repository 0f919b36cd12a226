#include "kernels/conv_2d.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <ostream>
#include <random>

namespace keras_dc {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Case {
  int64_t batch, height, width, channels, filters;
  int64_t kernel_height, kernel_width;
  int64_t stride = 1, dilation = 1;
  bool is_same = true;
  double density = 0.3;
  size_t num_centroids = 31;  // 0: raw values
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.batch << "x" << c.height << "x" << c.width << "x"
             << c.channels << "->" << c.filters << " kernel " << c.kernel_height
             << "x" << c.kernel_width << " stride " << c.stride << " dilation "
             << c.dilation << " same " << c.is_same << " density " << c.density;
}

ConvAxis MakeAxis(const Case& c, int64_t input, int64_t kernel) {
  ConvAxis axis;
  axis.input = input;
  axis.kernel = kernel;
  axis.stride = c.stride;
  axis.dilation = c.dilation;
  const int64_t reach = (kernel - 1) * c.dilation + 1;
  if (c.is_same) {
    axis.output = (input + c.stride - 1) / c.stride;
    axis.padding =
        std::max<int64_t>((axis.output - 1) * c.stride + reach - input, 0) / 2;
  } else {
    axis.output = (input - reach) / c.stride + 1;
  }
  return axis;
}

ConvShape MakeShape(const Case& c) {
  ConvShape shape;
  shape.batch = static_cast<size_t>(c.batch);
  shape.height = MakeAxis(c, c.height, c.kernel_height);
  shape.width = MakeAxis(c, c.width, c.kernel_width);
  return shape;
}

std::vector<uint8_t> BytesOf(const std::vector<float>& floats) {
  std::vector<uint8_t> bytes(floats.size() * sizeof(float));
  if (!bytes.empty()) std::memcpy(bytes.data(), floats.data(), bytes.size());
  return bytes;
}

// Random weights, sparse and dense.
struct Kernel {
  explicit Kernel(const Case& c) {
    std::mt19937 random(17);
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<double> uniform;
    std::vector<float> codebook(c.num_centroids), values;
    for (float& centroid : codebook) centroid = normal(random);
    sparse.num_rows = c.filters;
    sparse.num_columns = c.kernel_height * c.kernel_width * c.channels;
    sparse.row_begin.push_back(0);
    for (int64_t row = 0; row < sparse.num_rows; ++row) {
      for (int64_t column = 0; column < sparse.num_columns; ++column) {
        dense.push_back(0.0f);
        if (uniform(random) >= c.density) continue;
        dense.back() = normal(random);
        if (codebook.empty()) {
          values.push_back(dense.back());
        } else {
          const size_t index = random() % codebook.size();
          sparse.indices.push_back(static_cast<uint8_t>(index));
          dense.back() = codebook[index];
        }
        sparse.columns.push_back(static_cast<uint32_t>(column));
      }
      sparse.row_begin.push_back(static_cast<uint32_t>(sparse.columns.size()));
    }
    sparse.codebook = BytesOf(codebook);
    sparse.values = BytesOf(values);
  }

  SparseRows sparse;
  std::vector<float> dense;
};

std::vector<float> RandomVector(int64_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(size));
  for (float& value : values) value = normal(random);
  return values;
}

// The oracle: the definition of a convolution, in double precision.
std::vector<float> Reference(const Case& c, const Kernel& kernel,
                             const std::vector<float>& input,
                             const float* bias) {
  const ConvShape shape = MakeShape(c);
  std::vector<float> output;
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t y = 0; y < shape.height.output; ++y)
      for (int64_t x = 0; x < shape.width.output; ++x)
        for (int64_t f = 0; f < c.filters; ++f) {
          double sum = bias == nullptr ? 0.0 : bias[f];
          size_t column = 0;
          for (int64_t ky = 0; ky < c.kernel_height; ++ky)
            for (int64_t kx = 0; kx < c.kernel_width; ++kx)
              for (int64_t i = 0; i < c.channels; ++i, ++column) {
                const int64_t in_y =
                    y * c.stride + ky * c.dilation - shape.height.padding;
                const int64_t in_x =
                    x * c.stride + kx * c.dilation - shape.width.padding;
                if (in_y < 0 || in_y >= c.height || in_x < 0 ||
                    in_x >= c.width) {
                  continue;
                }
                const int64_t at =
                    ((b * c.height + in_y) * c.width + in_x) * c.channels + i;
                sum += double{kernel.dense[static_cast<size_t>(
                                               f * kernel.sparse.num_columns) +
                                           column]} *
                       double{input[static_cast<size_t>(at)]};
              }
          output.push_back(static_cast<float>(sum));
        }
  return output;
}

void ExpectClose(const std::vector<float>& actual,
                 const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    if (std::isnan(expected[i])) {
      ASSERT_TRUE(std::isnan(actual[i])) << "at " << i << ": " << actual[i];
    } else if (std::isinf(expected[i])) {
      ASSERT_EQ(actual[i], expected[i]) << "at " << i;
    } else {
      ASSERT_NEAR(actual[i], expected[i], 1e-4f * (1 + std::fabs(expected[i])))
          << "at " << i;
    }
  }
}

std::vector<float> Compute(const Case& c, Isa isa, const Kernel& kernel,
                           const std::vector<float>& input, const float* bias,
                           Activation activation = Activation::kNone,
                           size_t num_threads = 1) {
  const ConvShape shape = MakeShape(c);
  const ConvPlan plan(shape, static_cast<size_t>(c.filters),
                      static_cast<size_t>(c.channels), isa, num_threads);
  Conv2D packed;
  EXPECT_EQ(Conv2D::Pack(kernel.sparse, plan, &packed), KDC_OK);
  EXPECT_TRUE(packed.Fits(plan));
  ConvScratch scratch;
  ThreadPool pool;
  std::vector<float> output(static_cast<size_t>(c.batch * shape.height.output *
                                                shape.width.output * c.filters),
                            kNaN);
  packed.Run(plan, input.data(), bias, activation, &pool, &scratch,
             output.data());
  return output;
}

std::vector<float> RandomInput(const Case& c) {
  return RandomVector(c.batch * c.height * c.width * c.channels, 2);
}

class Conv2DTest : public testing::TestWithParam<Case> {};

TEST_P(Conv2DTest, AgreesWithReference) {
  const Case& c = GetParam();
  const Kernel kernel(c);
  const std::vector<float> bias = RandomVector(c.filters, 1);
  const std::vector<float> input = RandomInput(c);
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    for (const float* b : {static_cast<const float*>(nullptr), bias.data()}) {
      ExpectClose(Compute(c, isa, kernel, input, b),
                  Reference(c, kernel, input, b));
    }
  }
}

TEST_P(Conv2DTest, NonFiniteInputsGiveWhatTheDenseLayerGives) {
  const Case& c = GetParam();
  const Kernel kernel(c);
  std::vector<float> input = RandomInput(c);
  if (input.empty()) return;
  input[0] = kInf;
  input[input.size() / 2] = kNaN;
  input[input.size() - 1] = -kInf;
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    for (const size_t num_threads : {size_t{1}, size_t{3}}) {
      ExpectClose(Compute(c, isa, kernel, input, nullptr, Activation::kNone,
                          num_threads),
                  Reference(c, kernel, input, nullptr));
    }
  }
}

TEST_P(Conv2DTest, ThreadsChangeNothing) {
  const Case& c = GetParam();
  const Kernel kernel(c);
  const std::vector<float> input = RandomInput(c);
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    ExpectClose(Compute(c, isa, kernel, input, nullptr, Activation::kNone, 3),
                Compute(c, isa, kernel, input, nullptr));
  }
}

SparseRows RowsOf(const SparseRows& kernel, size_t begin, size_t end) {
  SparseRows rows = kernel;
  const auto cut = [&](auto* entries, size_t item) {
    if (entries->empty()) return;
    entries->assign(entries->begin() + kernel.row_begin[begin] * item,
                    entries->begin() + kernel.row_begin[end] * item);
  };
  cut(&rows.columns, 1);
  cut(&rows.indices, 1);
  cut(&rows.values, sizeof(float));
  rows.num_rows = static_cast<int64_t>(end - begin);
  rows.row_begin.assign(kernel.row_begin.begin() + static_cast<long>(begin),
                        kernel.row_begin.begin() + static_cast<long>(end) + 1);
  for (uint32_t& first : rows.row_begin) first -= kernel.row_begin[begin];
  return rows;
}

TEST_P(Conv2DTest, BlocksOfFiltersMakeUpTheWhole) {
  const Case& c = GetParam();
  const Kernel kernel(c);
  const std::vector<float> bias = RandomVector(c.filters, 1);
  const std::vector<float> input = RandomInput(c);
  const ConvShape shape = MakeShape(c);
  const auto filters = static_cast<size_t>(c.filters);
  const size_t block = std::min<size_t>(filters, 4);
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    const std::vector<float> expected =
        Compute(c, isa, kernel, input, bias.data(), Activation::kRelu);
    std::vector<float> output(expected.size(), kNaN);
    const ConvPlan plan(shape, block, static_cast<size_t>(c.channels), isa, 2);
    ConvScratch scratch;
    ThreadPool pool;
    for (size_t first = 0; first < filters; first += block) {
      const size_t end = std::min(first + block, filters);
      Conv2D packed;
      ASSERT_EQ(Conv2D::PackBlock(RowsOf(kernel.sparse, first, end), plan,
                                  first, filters, &packed),
                KDC_OK);
      packed.Run(plan, input.data(), bias.data(), Activation::kRelu, &pool,
                 &scratch, output.data());
    }
    ExpectClose(output, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Conv2DTest,
    testing::Values(Case{1, 1, 1, 1, 1, 1, 1}, Case{1, 1, 1, 3, 5, 3, 3},
                    Case{2, 14, 14, 20, 33, 1, 1}, Case{3, 7, 7, 17, 9, 1, 1},
                    Case{1, 13, 13, 5, 7, 3, 3}, Case{2, 16, 17, 3, 8, 3, 3},
                    Case{1, 56, 56, 4, 6, 3, 3}, Case{1, 28, 30, 40, 12, 3, 3},
                    Case{1, 9, 11, 4, 6, 5, 3}, Case{1, 9, 11, 4, 6, 2, 4},
                    Case{1, 1, 40, 4, 6, 1, 5}, Case{1, 40, 1, 4, 6, 5, 1},
                    Case{2, 15, 15, 4, 6, 3, 3, 2},
                    Case{1, 15, 15, 4, 6, 3, 3, 3},
                    Case{1, 16, 16, 4, 6, 1, 1, 2},
                    Case{1, 15, 15, 4, 6, 3, 3, 1, 2},
                    Case{1, 23, 31, 3, 10, 5, 5, 2, 3},
                    Case{1, 15, 15, 4, 6, 3, 3, 1, 1, false},
                    Case{1, 16, 23, 4, 6, 3, 3, 2, 2, false},
                    Case{1, 47, 47, 3, 16, 11, 11, 4, 1, false},
                    Case{1, 3, 3, 4, 6, 3, 3, 1, 1, false},
                    Case{1, 13, 13, 5, 7, 3, 3, 1, 1, true, 0.0},
                    Case{1, 13, 13, 5, 7, 3, 3, 1, 1, true, 1.0},
                    Case{1, 13, 13, 5, 7, 3, 3, 1, 1, true, 0.9, 0},
                    Case{1, 13, 13, 5, 7, 3, 3, 1, 1, true, 0.2, 0},
                    Case{1, 13, 13, 5, 7, 3, 3, 1, 1, true, 0.2, 256},
                    Case{1, 6, 6, 700, 3, 1, 1, 1, 1, true, 0.1},
                    Case{1, 20, 20, 2, 3, 17, 17, 1, 1, true, 0.1},
                    Case{1, 5, 5, 2, 2100, 1, 1, 1, 1, true, 0.5},
                    Case{1, 4, 4, 512, 3, 3, 3, 1, 1, true, 0.1},
                    Case{0, 4, 4, 2, 3, 3, 3}));

void ExpectEachActivation(const Case& c, const std::vector<float>& input) {
  const Kernel kernel(c);
  for (uint8_t i = 0; i < kNumActivations; ++i) {
    SCOPED_TRACE(int{i});
    const auto activation = static_cast<Activation>(i);
    std::vector<float> expected = Reference(c, kernel, input, nullptr);
    ApplyActivation(activation, expected.size(), expected.data());
    for (const Isa isa : SupportedIsas()) {
      ExpectClose(Compute(c, isa, kernel, input, nullptr, activation),
                  expected);
    }
  }
}

TEST(Conv2D, AppliesEachActivation) {
  const Case c = {1, 9, 9, 4, 6, 3, 3};
  ExpectEachActivation(c, RandomInput(c));
}

TEST(Conv2D, AppliesEachActivationToWhatIsNotFinite) {
  const Case c = {1, 5, 9, 16, 6, 1, 1};
  std::vector<float> input = RandomInput(c);
  input[16] = kInf;
  input[500] = kNaN;
  ExpectEachActivation(c, input);
}

TEST(Conv2D, RefusesOtherTypesThanFloat32) {
  Conv2D packed;
  SparseRows half;
  half.dtype = KDC_FLOAT16;
  half.row_begin = {0};
  EXPECT_EQ(Conv2D::Pack(half, ConvPlan(), &packed), KDC_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace keras_dc
