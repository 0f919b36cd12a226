#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ostream>

#include "kernels/forms/weight_words.h"
#include "kernels/int8_conv_2d.h"
#include "kernels/int8_fully_connected.h"
#include "kernels/int8_weights.h"
#include "kernels/plain_matrix_kernel.h"

namespace keras_dc {
namespace {

struct Case {
  int64_t batch, height, width, channels, filters;
  int64_t kernel_height, kernel_width;
  int64_t stride = 1, dilation = 1;
  bool is_same = true;
  double density = 0.3;
  int64_t block = 1;
  bool has_codebook = true;
  int32_t zero_point = 5;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.batch << "x" << c.height << "x" << c.width << "x"
             << c.channels << "->" << c.filters << " kernel " << c.kernel_height
             << "x" << c.kernel_width << " stride " << c.stride << " dilation "
             << c.dilation << " same " << c.is_same << " density " << c.density
             << " block " << c.block << " zero point " << c.zero_point;
}

bool MakeShape(const Case& c, ConvShape* shape) {
  shape->batch = static_cast<size_t>(c.batch);
  shape->height.input = c.height;
  shape->height.kernel = c.kernel_height;
  shape->width.input = c.width;
  shape->width.kernel = c.kernel_width;
  for (ConvAxis* axis : {&shape->height, &shape->width}) {
    axis->stride = c.stride;
    axis->dilation = c.dilation;
    if (!FillAxis(!c.is_same, axis)) return false;
  }
  return true;
}

std::vector<int32_t> RandomBias(size_t size) {
  std::mt19937 random(5);
  std::vector<int32_t> bias(size);
  for (int32_t& b : bias) b = static_cast<int32_t>(random() % 20001) - 10000;
  return bias;
}

void ExpectScaled(const OutputScaling& scaling,
                  const std::vector<int32_t>& sums,
                  const std::vector<int8_t>& outputs) {
  const size_t num_rows = scaling.multipliers.size();
  for (size_t i = 0; i < sums.size(); ++i) {
    ASSERT_EQ(outputs[i], OutputByDefinition(scaling, i % num_rows, sums[i]))
        << "at " << i;
  }
}

// The kernels for matrices, those of this machine and a plain loop.
std::vector<MatrixKernel> MatrixKernels() {
  std::vector<MatrixKernel> kernels = {RunMatrixPlainly};
#if defined(KERAS_DC_AMX_KERNELS)
  if (SupportedIsas().back() == Isa::kAmx && MayUseMatrixRegisters()) {
    kernels.push_back(RunMatrixAmx);
  }
#endif
  return kernels;
}

// Plans for each instruction set, and for each kernel for matrices.
std::vector<std::pair<std::string, Int8ConvPlan>> Plans(const ConvShape& shape,
                                                        size_t filters,
                                                        size_t channels,
                                                        size_t num_threads) {
  std::vector<std::pair<std::string, Int8ConvPlan>> plans;
  for (const Isa isa : SupportedIsas()) {
    plans.emplace_back(
        IsaName(isa), Int8ConvPlan(shape, filters, channels, isa, num_threads));
  }
  for (const MatrixKernel kernel : MatrixKernels()) {
    Int8ConvPlan plan(shape, filters, channels, Isa::kPortable, num_threads);
    plan.matrix = MatrixPlan(shape, channels, kernel);
    plan.matrix.AlwaysUse();
    plans.emplace_back(
        kernel == RunMatrixPlainly ? "matrices, plain loop" : "matrices", plan);
  }
  return plans;
}

void CheckConv(const Case& c) {
  ConvShape shape;
  if (!MakeShape(c, &shape)) return;
  const int64_t columns = c.kernel_height * c.kernel_width * c.channels;
  const Int8Weights weights(c.filters, columns, c.density, c.block,
                            c.has_codebook, 17);
  const auto filters = static_cast<size_t>(c.filters);
  const std::vector<int8_t> input = RandomInt8(
      static_cast<size_t>(c.batch * c.height * c.width * c.channels), 23);
  const std::vector<int32_t> bias = RandomBias(filters);
  const std::vector<int32_t> sums = Int8Sums(
      shape, c.channels, c.filters, weights.dense, input, c.zero_point, bias);
  ThreadPool pool;
  for (const unsigned num_threads : {1, 3}) {
    for (const auto& [name, plan] :
         Plans(shape, filters, static_cast<size_t>(c.channels), num_threads)) {
      // Rounds once, and twice.
      const OutputScaling scaling =
          RandomScaling(filters, c.density * static_cast<double>(columns),
                        num_threads / 2 + 6);
      SCOPED_TRACE(name + ", threads " + std::to_string(num_threads));
      Int8Conv2D layer;
      ASSERT_EQ(Int8Conv2D::Pack(weights.sparse, plan, &layer), KDC_OK);
      ASSERT_TRUE(layer.Fits(plan));
      Int8ConvScratch scratch;
      const Int8Inputs inputs{input.data(), c.zero_point, bias.data()};
      std::vector<int32_t> actual(sums.size());
      layer.Run(plan, inputs, nullptr, &pool, &scratch, actual.data());
      ASSERT_EQ(actual, sums);
      std::vector<int8_t> outputs(sums.size());
      layer.Run(plan, inputs, &scaling, &pool, &scratch, outputs.data());
      ExpectScaled(scaling, sums, outputs);
    }
  }
}

// Weights of zeros: the sums are the bias.
TEST(Int8Conv2D, ScalesAnySumAsTheDefinitionDoes) {
  Case c = {1, 1, 19, 4, 70, 1, 1};
  c.density = 0.0;
  ConvShape shape;
  ASSERT_TRUE(MakeShape(c, &shape));
  const auto filters = static_cast<size_t>(c.filters);
  const Int8Weights weights(c.filters, c.channels, 0.0, 1, true, 1);
  const std::vector<int8_t> input(static_cast<size_t>(19 * c.channels), 3);
  std::mt19937 random(3);
  for (const auto& [name, plan] : Plans(shape, filters, 4, 1)) {
    Int8Conv2D layer;
    ASSERT_EQ(Int8Conv2D::Pack(weights.sparse, plan, &layer), KDC_OK);
    Int8ConvScratch scratch;
    for (unsigned seed = 0; seed < 100; ++seed) {
      SCOPED_TRACE(testing::Message() << name << " seed " << seed);
      OutputScaling scaling = RandomScaling(filters, 20.0, seed);
      std::vector<int32_t> bias;
      for (size_t row = 0; row < filters; ++row) {
        bias.push_back(static_cast<int32_t>(random()) >> random() % 32);
        if (random() % 16 == 0) bias.back() = INT32_MIN;
        if (random() % 16 == 0) bias.back() = INT32_MAX;
        // Every shift to the right there is; of some, one to the left.
        const int right = static_cast<int>(random() % 32);
        const bool is_left = seed % 4 == 3 && random() % 64 == 0;
        scaling.left_shifts[row] =
            is_left ? std::min(right, QuantizedScale::kMaxShift) : 0;
        scaling.right_shifts[row] = is_left ? 0 : right;
        // A power of two makes halves.
        if (random() % 4 == 0) scaling.multipliers[row] = 1 << 30;
      }
      std::vector<int32_t> sums;
      for (int pixel = 0; pixel < 19; ++pixel) {
        sums.insert(sums.end(), bias.begin(), bias.end());
      }
      std::vector<int8_t> outputs(sums.size());
      layer.Run(plan, {input.data(), 3, bias.data()}, &scaling, nullptr,
                &scratch, outputs.data());
      ExpectScaled(scaling, sums, outputs);
    }
  }
}

// Products that lie close to the middle of two integers, on either side, and in
// it: for common scales, and for all outputs there are.
TEST(Int8Conv2D, RoundsAsTheDefinitionDoesNearTheMiddle) {
  Case c = {1, 1, 1, 4, 16 * 512, 1, 1};
  ConvShape shape;
  ASSERT_TRUE(MakeShape(c, &shape));
  const auto filters = static_cast<size_t>(c.filters);
  const Int8Weights weights(c.filters, c.channels, 0.0, 1, true, 1);
  const std::vector<int8_t> input(4, 3);
  std::mt19937 random(7);
  for (const int right : {1, 4, 6, 9, 13}) {
    OutputScaling scaling;
    std::vector<int32_t> bias;
    for (size_t row = 0; row < filters; ++row) {
      const bool is_half = random() % 8 == 0;
      const auto multiplier = static_cast<int32_t>(
          (1u << 30) + (is_half ? 0 : random() % (1u << 30)));
      scaling.Add({multiplier, -right});
      const double scale = multiplier * std::exp2(-31 - right);
      const double middle = static_cast<double>(random() % 512) - 255.5;
      bias.push_back(static_cast<int32_t>(std::lround(middle / scale)) +
                     static_cast<int32_t>(random() % 5) - 2);
    }
    for (const bool rounds_once : {false, true}) {
      scaling.rounds_once = rounds_once;
      scaling.zero_point = static_cast<int32_t>(random() % 256) - 128;
      for (const auto& [name, plan] : Plans(shape, filters, 4, 1)) {
        SCOPED_TRACE(testing::Message() << name << " right shift " << right);
        Int8Conv2D layer;
        ASSERT_EQ(Int8Conv2D::Pack(weights.sparse, plan, &layer), KDC_OK);
        Int8ConvScratch scratch;
        std::vector<int8_t> outputs(filters);
        layer.Run(plan, {input.data(), 3, bias.data()}, &scaling, nullptr,
                  &scratch, outputs.data());
        ExpectScaled(scaling, bias, outputs);
      }
    }
  }
}

class Int8Conv2DTest : public testing::TestWithParam<Case> {};

TEST_P(Int8Conv2DTest, GivesTheSumsAndOutputsOfTheDefinition) {
  CheckConv(GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Int8Conv2DTest,
    testing::Values(
        Case{1, 9, 11, 16, 24, 3, 3}, Case{2, 8, 8, 3, 5, 5, 3, 2},
        Case{1, 14, 14, 64, 32, 1, 1, 1, 1, true, 0.25, 4},
        Case{1, 7, 5, 7, 9, 3, 3, 1, 2, true, 0.5},
        Case{1, 12, 12, 20, 17, 3, 3, 2, 1, false, 0.3, 4, false, -128},
        Case{3, 5, 6, 33, 40, 1, 1, 2, 1, true, 1.0, 1, false, 127},
        Case{1, 20, 20, 2, 3, 13, 13, 1, 1, true, 0.4, 1, false, -3},
        Case{1, 6, 6, 300, 10, 3, 3, 1, 1, true, 0.9, 1, false, 0},
        Case{1, 5, 5, 8, 6, 3, 3, 1, 1, true, 0.0},
        Case{2, 4, 4, 1, 1, 2, 2, 1, 1, true, 1.0},
        // Whole lines, and matrices that go on over the end of a line.
        Case{2, 10, 18, 64, 70, 3, 3, 1, 1, false, 0.4},
        Case{3, 6, 23, 128, 16, 1, 1, 1, 1, true, 0.5, 4},
        Case{2, 9, 40, 24, 33, 5, 5, 2, 1, true, 0.2},
        Case{1, 9, 9, 64, 20, 3, 3, 1, 2, true, 0.7},
        // More taps than a block has columns.
        Case{1, 18, 19, 5, 4, 17, 18, 1, 1, true, 1.0, 1, false, 9}));

TEST(Int8Conv2D, MatricesAreForWeightsThatAreNotFew) {
  Case c = {1, 14, 14, 128, 64, 3, 3};
  ConvShape shape;
  ASSERT_TRUE(MakeShape(c, &shape));
  Int8ConvPlan plan(shape, 64, 128, Isa::kPortable, 1), other = plan;
  plan.matrix = MatrixPlan(shape, 128, RunMatrixPlainly);
  for (const double density : {0.005, 0.3}) {
    const Int8Weights weights(64, 9 * 128, density, 4, false, 3);
    Int8Conv2D layer;
    ASSERT_EQ(Int8Conv2D::Pack(weights.sparse, plan, &layer), KDC_OK);
    EXPECT_EQ(layer.is_matrix(), density > 0.1);
    EXPECT_TRUE(layer.Fits(plan));
    EXPECT_EQ(layer.Fits(other), density < 0.1);
    // Other images of these channels.
    shape.batch = 3;
    shape.width.input = 20;
    FillAxis(false, &shape.width);
    Int8ConvPlan larger(shape, 64, 128, Isa::kPortable, 1);
    larger.matrix = MatrixPlan(shape, 128, RunMatrixPlainly);
    if (layer.is_matrix()) {
      EXPECT_TRUE(layer.Fits(larger));
    }
    // Sparse weights take less than dense ones.
    EXPECT_LT(layer.size_bytes(), size_t{64} * 9 * 128 / 2);
    ASSERT_TRUE(MakeShape(c, &shape));
  }
}

TEST(Int8Conv2D, RandomShapes) {
  std::mt19937 random(99);
  const auto pick = [&](int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random()) % (most - least + 1);
  };
  for (int i = 0; i < 60; ++i) {
    Case c{pick(1, 3), pick(1, 12), pick(1, 12), pick(1, 40), pick(1, 40),
           pick(1, 4), pick(1, 4),  pick(1, 3),  pick(1, 3),  pick(0, 1) == 1};
    c.density = static_cast<double>(pick(0, 10)) / 10.0;
    c.block = pick(0, 1) == 1 ? 4 : 1;
    c.has_codebook = pick(0, 1) == 1;
    c.zero_point = static_cast<int32_t>(pick(-128, 127));
    SCOPED_TRACE(testing::Message() << c);
    CheckConv(c);
  }
}

void CheckFullyConnected(size_t batch, int64_t rows, int64_t columns,
                         double density, int64_t block, int32_t zero_point) {
  SCOPED_TRACE(testing::Message()
               << batch << "x" << columns << "->" << rows << " density "
               << density << " block " << block);
  const Int8Weights weights(rows, columns, density, block, density < 0.5, 3);
  const auto num_rows = static_cast<size_t>(rows);
  ConvShape shape;
  shape.batch = 1;
  shape.height.input = shape.height.output = 1;
  shape.width.input = shape.width.output = static_cast<int64_t>(batch);
  const std::vector<int8_t> input =
      RandomInt8(batch * static_cast<size_t>(columns), 4);
  const std::vector<int32_t> bias = RandomBias(num_rows);
  const std::vector<int32_t> sums =
      Int8Sums(shape, columns, rows, weights.dense, input, zero_point, bias);
  const OutputScaling scaling =
      RandomScaling(num_rows, density * static_cast<double>(columns), 8);
  ThreadPool pool;
  for (const Isa isa : SupportedIsas()) {
    for (const size_t num_threads : {1, 2}) {
      SCOPED_TRACE(IsaName(isa));
      const Int8FullyConnectedPlan plan(num_rows, static_cast<size_t>(columns),
                                        batch, isa, num_threads);
      Int8FullyConnected layer;
      ASSERT_EQ(Int8FullyConnected::Pack(weights.sparse, plan, &layer), KDC_OK);
      ASSERT_TRUE(layer.Fits(plan));
      Int8FullyConnectedScratch scratch;
      const Int8Inputs inputs{input.data(), zero_point, bias.data()};
      std::vector<int32_t> actual(sums.size());
      layer.Run(plan, inputs, nullptr, &pool, &scratch, actual.data());
      ASSERT_EQ(actual, sums);
      std::vector<int8_t> outputs(sums.size());
      layer.Run(plan, inputs, &scaling, &pool, &scratch, outputs.data());
      ExpectScaled(scaling, sums, outputs);
    }
  }
}

TEST(Int8FullyConnected, GivesTheSumsAndOutputsOfTheDefinition) {
  CheckFullyConnected(1, 10, 17, 0.5, 1, 3);
  CheckFullyConnected(1, 300, 784, 0.08, 1, -128);
  CheckFullyConnected(2, 65, 1030, 0.25, 4, 127);
  CheckFullyConnected(3, 33, 129, 0.3, 1, 0);
  CheckFullyConnected(17, 40, 1000, 0.1, 4, -7);
  CheckFullyConnected(1, 3, 1, 1.0, 1, 1);
  CheckFullyConnected(1, 4, 70000, 0.01, 1, 1);
  CheckFullyConnected(1, 4, 300000, 0.01, 4, 1);
  CheckFullyConnected(5, 20, 64, 0.0, 1, 1);
  CheckFullyConnected(1, 700, 900, 0.9, 1, 1);
}

TEST(Int8FullyConnected, BlocksOfFourHaveAFormOfTheirOwn) {
  for (const int64_t block : {1, 4}) {
    const Int8Weights weights(64, 1024, 0.25, block, false, 5);
    const Int8LockstepShape shape{16, 128};
    EXPECT_EQ(Int8Lockstep::Pack(weights.sparse, shape).has_words, block == 4);
    EXPECT_EQ(Int8Rows::Pack(weights.sparse).has_words, block == 4);
  }
}

// What a kernel adds to sums is what the plain loop adds.
void ExpectSums(const Int8Weights& weights, const Int8LockstepKernel& kernel) {
  const auto num_rows = static_cast<size_t>(weights.sparse.num_rows);
  const auto num_columns = static_cast<size_t>(weights.sparse.num_columns);
  std::vector<uint8_t> input(num_columns + Int8Lockstep::kMaxWindow, 77);
  std::mt19937 random(1);
  for (size_t c = 0; c < num_columns; ++c) {
    input[c] = static_cast<uint8_t>(random());
  }
  std::vector<int32_t> sums(num_rows, -5), expected = sums;
  for (size_t i = 0; i < weights.dense.size(); ++i) {
    const int number = input[i % num_columns];
    const bool is_signed = kernel.input_offset == 0;
    expected[i / num_columns] +=
        weights.dense[i] * (is_signed && number > 127 ? number - 256 : number);
  }
  const auto packed = Int8Lockstep::Pack(weights.sparse, kernel.shape);
  const size_t middle = packed.num_groups() / 2;
  const Int8LockstepView view(packed);
  kernel.run(view, 0, middle, input.data(), sums.data());
  kernel.run(view, middle, packed.num_groups(), input.data(), sums.data());
  EXPECT_EQ(sums, expected);
}

TEST(Int8FullyConnected, EachLockstepKernelGivesTheSums) {
  for (const Isa isa : SupportedIsas()) {
    const Int8LockstepKernel kernel = Int8LockstepKernelOf(isa);
    if (kernel.run == nullptr) continue;
    for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{37, 200},
                                        {16, 128},
                                        {1, 1},
                                        {9, 63},
                                        {50, 1000}}) {
      for (const double density : {0.0, 0.05, 0.3, 1.0}) {
        for (const int64_t block : {1, 4}) {
          SCOPED_TRACE(testing::Message()
                       << IsaName(isa) << ": " << rows << "x" << columns
                       << " density " << density << " block " << block);
          ExpectSums(Int8Weights(rows, columns, density, block, false, 11),
                     kernel);
        }
      }
    }
  }
}

TEST(Int8FullyConnected, RowsRunAheadInTheLockstepForm) {
  // The first row has its weights where the second one has none.
  SparseRows weights;
  weights.dtype = KDC_INT8;
  weights.num_rows = 2;
  weights.num_columns = 64;
  weights.row_begin = {0, 4, 8};
  for (const uint32_t column : {0u, 1u, 2u, 3u, 40u, 41u, 42u, 43u}) {
    weights.columns.push_back(column);
  }
  weights.values.assign(8, 1);
  EXPECT_EQ(Int8Lockstep::Pack(weights, {2, 64}).num_steps(), 1u);
  EXPECT_EQ(Int8Lockstep::Pack(weights, {2, 32}).num_steps(), 2u);
}

TEST(Int8FullyConnected, RefusesFloats) {
  SparseRows floats;
  floats.row_begin = {0};
  Int8FullyConnected layer;
  EXPECT_EQ(Int8FullyConnected::Pack(floats, {}, &layer), KDC_INVALID_ARGUMENT);
}

TEST(WeightWords, AreFourNeighboursOfATap) {
  SparseRows weights;
  weights.dtype = KDC_INT8;
  weights.num_rows = 1;
  weights.num_columns = 12;  // two taps of six channels
  weights.row_begin = {0, 4};
  for (const uint32_t column : {1u, 3u, 5u, 6u}) {
    weights.columns.push_back(column);
  }
  weights.values = {7, 8, 9, 10};
  const SparseRows words = WordsOf(weights, 6, false);
  EXPECT_EQ(words.num_columns, 4);
  ASSERT_EQ(words.columns.size(), 3u);
  EXPECT_EQ(words.columns[0], 0u);
  EXPECT_EQ(words.columns[1], 1u);
  EXPECT_EQ(words.columns[2], 2u);
  EXPECT_EQ(words.values,
            (std::vector<uint8_t>{0, 7, 0, 8, 0, 9, 0, 0, 10, 0, 0, 0}));
  EXPECT_EQ(CountWords(weights, 6), 3u);
  EXPECT_EQ(RowSums(weights), std::vector<int32_t>{34});
}

TEST(WeightWords, PairsThatDoNotFitSixteenBitsAreMadeTwo) {
  SparseRows weights;
  weights.dtype = KDC_INT8;
  weights.num_rows = 1;
  weights.num_columns = 8;
  weights.row_begin = {0, 4};
  for (const uint32_t column : {0u, 1u, 4u, 5u}) {
    weights.columns.push_back(column);
  }
  weights.values = {127, 2, 127, 1};
  const SparseRows words = WordsOf(weights, 8, true);
  ASSERT_EQ(words.columns.size(), 3u);
  EXPECT_EQ(words.columns[1], 0u);
  EXPECT_EQ(words.values,
            (std::vector<uint8_t>{127, 0, 0, 0, 0, 2, 0, 0, 127, 1, 0, 0}));
}

}  // namespace
}  // namespace keras_dc
