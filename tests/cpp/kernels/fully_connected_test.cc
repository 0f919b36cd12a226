#include "kernels/fully_connected.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>

#include "common/cpu.h"
#include "kernels/forms/lockstep_weights.h"

namespace keras_dc {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Case {
  size_t num_rows;
  size_t num_columns;
  double density;
  size_t num_centroids;  // 0: raw values
};

std::vector<uint8_t> BytesOf(const std::vector<float>& floats) {
  std::vector<uint8_t> bytes(floats.size() * sizeof(float));
  if (!bytes.empty()) std::memcpy(bytes.data(), floats.data(), bytes.size());
  return bytes;
}

// Random weights, sparse and dense.
class Weights {
 public:
  explicit Weights(const Case& c) : dense(c.num_rows * c.num_columns, 0.0f) {
    std::mt19937 random(17);
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<double> uniform;
    std::vector<float> codebook(c.num_centroids);
    for (float& centroid : codebook) centroid = normal(random);
    std::vector<float> values;
    sparse.num_rows = static_cast<int64_t>(c.num_rows);
    sparse.num_columns = static_cast<int64_t>(c.num_columns);
    sparse.row_begin.push_back(0);
    for (size_t row = 0; row < c.num_rows; ++row) {
      for (size_t column = 0; column < c.num_columns; ++column) {
        if (uniform(random) >= c.density) continue;
        float value = normal(random);
        if (!codebook.empty()) {
          const size_t index = random() % codebook.size();
          sparse.indices.push_back(static_cast<uint8_t>(index));
          value = codebook[index];
        } else {
          values.push_back(value);
        }
        sparse.columns.push_back(static_cast<uint32_t>(column));
        dense[row * c.num_columns + column] = value;
      }
      sparse.row_begin.push_back(static_cast<uint32_t>(sparse.columns.size()));
    }
    sparse.codebook = BytesOf(codebook);
    sparse.values = BytesOf(values);
  }

  FullyConnectedPlan Plan(Isa isa, size_t batch, size_t num_threads = 1) const {
    return FullyConnectedPlan(static_cast<size_t>(sparse.num_rows),
                              static_cast<size_t>(sparse.num_columns), batch,
                              isa, num_threads);
  }

  FullyConnected Pack(const FullyConnectedPlan& plan) const {
    FullyConnected packed;
    EXPECT_EQ(FullyConnected::Pack(sparse, plan, &packed), KDC_OK);
    EXPECT_TRUE(packed.Fits(plan));
    return packed;
  }

  SparseRows sparse;
  std::vector<float> dense;
};

float Activate(Activation activation, float x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x < 0 ? 0 : x;
    case Activation::kReluN1To1:
      return x < -1 ? -1 : x > 1 ? 1 : x;
    case Activation::kRelu6:
      return x < 0 ? 0 : x > 6 ? 6 : x;
    case Activation::kTanh:
      return std::tanh(x);
  }
  return kNaN;
}

// The oracle: what the dense layer computes, in double precision.
std::vector<float> Reference(const Weights& weights,
                             const std::vector<float>& input, size_t batch,
                             const float* bias, Activation activation) {
  const size_t num_rows = static_cast<size_t>(weights.sparse.num_rows);
  const size_t num_columns = static_cast<size_t>(weights.sparse.num_columns);
  std::vector<float> output(batch * num_rows);
  for (size_t b = 0; b < batch; ++b) {
    for (size_t r = 0; r < num_rows; ++r) {
      double sum = bias == nullptr ? 0.0 : bias[r];
      for (size_t c = 0; c < num_columns; ++c) {
        sum += double{weights.dense[r * num_columns + c]} *
               double{input[b * num_columns + c]};
      }
      output[b * num_rows + r] = Activate(activation, static_cast<float>(sum));
    }
  }
  return output;
}

std::vector<float> RandomVector(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 2.0f);
  std::vector<float> values(size);
  for (float& value : values) value = normal(random);
  return values;
}

// Of float32 sums of up to 35,000 products, most of them below 4.
constexpr float kTolerance = 1e-2f;

void ExpectClose(const std::vector<float>& actual,
                 const std::vector<float>& expected, float tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    if (std::isnan(expected[i])) {
      EXPECT_TRUE(std::isnan(actual[i])) << "at " << i << ": " << actual[i];
    } else if (std::isinf(expected[i])) {
      EXPECT_EQ(actual[i], expected[i]) << "at " << i;
    } else {
      EXPECT_NEAR(actual[i], expected[i], tolerance) << "at " << i;
    }
  }
}

std::vector<float> Compute(const Weights& weights, Isa isa,
                           const std::vector<float>& input, size_t batch,
                           const float* bias = nullptr,
                           Activation activation = Activation::kNone,
                           size_t num_threads = 1) {
  const FullyConnectedPlan plan = weights.Plan(isa, batch, num_threads);
  const FullyConnected packed = weights.Pack(plan);
  FullyConnectedScratch scratch;
  ThreadPool pool;
  std::vector<float> output(batch * packed.num_rows(), kNaN);
  packed.Run(plan, input.data(), bias, activation, &pool, &scratch,
             output.data());
  return output;
}

class FullyConnectedTest : public testing::TestWithParam<Case> {};

TEST_P(FullyConnectedTest, AgreesWithReferenceAtEveryBatchSize) {
  const Case& c = GetParam();
  const Weights weights(c);
  const std::vector<float> bias = RandomVector(c.num_rows, 1);
  for (const size_t batch : std::vector<size_t>{0, 1, 2, 3, 7, 8, 9, 33}) {
    const auto input = RandomVector(batch * c.num_columns, 2);
    for (const float* b : {static_cast<const float*>(nullptr), bias.data()}) {
      const auto expected =
          Reference(weights, input, batch, b, Activation::kNone);
      for (const Isa isa : SupportedIsas()) {
        SCOPED_TRACE(std::string(IsaName(isa)) + " " + std::to_string(batch));
        ExpectClose(Compute(weights, isa, input, batch, b), expected,
                    kTolerance);
      }
    }
  }
}

TEST_P(FullyConnectedTest, NonFiniteInputsGiveWhatTheDenseLayerGives) {
  const Case& c = GetParam();
  const Weights weights(c);
  for (const size_t batch : std::vector<size_t>{1, 10}) {
    auto input = RandomVector(batch * c.num_columns, 4);
    input[0] = kInf;
    input[input.size() / 2] = kNaN;
    input[input.size() - 1] = -kInf;
    const auto expected =
        Reference(weights, input, batch, nullptr, Activation::kNone);
    for (const Isa isa : SupportedIsas()) {
      SCOPED_TRACE(std::string(IsaName(isa)) + " " + std::to_string(batch));
      ExpectClose(Compute(weights, isa, input, batch), expected, kTolerance);
    }
  }
}

TEST_P(FullyConnectedTest, ThreadsChangeNothing) {
  const Case& c = GetParam();
  const Weights weights(c);
  for (const size_t batch : std::vector<size_t>{1, 10}) {
    const auto input = RandomVector(batch * c.num_columns, 4);
    for (const Isa isa : SupportedIsas()) {
      SCOPED_TRACE(IsaName(isa));
      EXPECT_EQ(
          Compute(weights, isa, input, batch, nullptr, Activation::kNone, 3),
          Compute(weights, isa, input, batch));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    OddShapes, FullyConnectedTest,
    testing::Values(Case{3, 5, 0.0, 0}, Case{1, 1, 0.1, 0}, Case{0, 4, 0.1, 0},
                    Case{1, 300, 0.2, 15}, Case{40, 1, 0.3, 3},
                    Case{31, 77, 0.2, 1}, Case{31, 77, 0.2, 256},
                    Case{31, 77, 0.2, 0}, Case{31, 77, 1.0, 31},
                    Case{31, 77, 0.6, 0}, Case{2, 65536, 0.05, 31},
                    Case{2, 65537, 0.05, 31}, Case{2, 70000, 0.05, 0},
                    Case{2, 70000, 0.5, 31}, Case{100, 20000, 0.04, 31},
                    Case{40, 9000, 0.25, 32}, Case{40, 9000, 0.5, 16},
                    Case{2200, 40, 0.2, 31}, Case{900, 100, 0.3, 256}));

TEST(FullyConnected, AppliesEachActivation) {
  const Weights weights({31, 77, 0.2, 15});
  for (const size_t batch : std::vector<size_t>{1, 9}) {
    const auto input = RandomVector(batch * 77, 3);
    for (uint8_t i = 0; i < kNumActivations; ++i) {
      const auto activation = static_cast<Activation>(i);
      for (const Isa isa : SupportedIsas()) {
        SCOPED_TRACE(std::string(IsaName(isa)) + " " + std::to_string(i));
        ExpectClose(Compute(weights, isa, input, batch, nullptr, activation),
                    Reference(weights, input, batch, nullptr, activation),
                    1e-4f);
      }
    }
  }
}

TEST(FullyConnected, ActivationsKeepNaNsAndBoundInfinities) {
  for (uint8_t i = 0; i < kNumActivations; ++i) {
    float values[] = {kNaN, kInf, -kInf, -0.0f};
    const auto activation = static_cast<Activation>(i);
    ApplyActivation(activation, 4, values);
    EXPECT_TRUE(std::isnan(values[0]));
    EXPECT_EQ(values[1], Activate(activation, kInf));
    EXPECT_EQ(values[2], Activate(activation, -kInf));
    EXPECT_EQ(values[3], 0.0f);
  }
}

TEST(FullyConnected, NonFiniteWeightsGiveWhatTheDenseLayerGives) {
  Weights weights({16, 2000, 0.2, 3});
  const float codebook[] = {kInf, 1.0f, kNaN};
  std::memcpy(weights.sparse.codebook.data(), codebook, sizeof(codebook));
  for (size_t row = 0, e = 0; row < 16; ++row) {
    for (; e < weights.sparse.row_begin[row + 1]; ++e) {
      // The first rows only have a NaN.
      uint8_t& index = weights.sparse.indices[e];
      if (row >= 8 && index == 2) index = 1;
      weights.dense[row * 2000 + weights.sparse.columns[e]] = codebook[index];
    }
  }
  for (const size_t batch : std::vector<size_t>{1, 5}) {
    auto input = RandomVector(batch * 2000, 4);
    for (float& x : input) x = std::fabs(x) + 1;
    for (const Isa isa : SupportedIsas()) {
      SCOPED_TRACE(IsaName(isa));
      ExpectClose(Compute(weights, isa, input, batch),
                  Reference(weights, input, batch, nullptr, Activation::kNone),
                  1e-4f);
    }
  }
}

TEST(FullyConnected, LargeInputsOverflowNoSoonerThanTheirProducts) {
  // One row of eight weights of 0.25; the dense layer gives 3e38.
  Weights weights({1, 8, 1.0, 1});
  weights.sparse.codebook = BytesOf({0.25f});
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    for (const size_t batch : {size_t{1}, FullyConnectedPlan::kMinTogether}) {
      const std::vector<float> input(8 * batch, 1.5e38f);
      EXPECT_FLOAT_EQ(Compute(weights, isa, input, batch)[0], 3e38f);
    }
  }
}

TEST(FullyConnected, TakesTheFormThatSuits) {
  const Weights shared({64, 9000, 0.1, 9});
  EXPECT_TRUE(shared.Pack(shared.Plan(Isa::kPortable, 1)).Is<ProductSums>());
  EXPECT_TRUE(shared.Pack(shared.Plan(Isa::kAvx2, 2)).Is<ProductSums>());
  EXPECT_TRUE(shared.Pack(shared.Plan(Isa::kAvx512, 1)).Is<LockstepWeights>());
  EXPECT_TRUE(shared.Pack(shared.Plan(Isa::kPortable, 3)).Is<Conv2D>());
  const Weights few_rows({4, 1000, 0.1, 31});
  EXPECT_TRUE(few_rows.Pack(few_rows.Plan(Isa::kPortable, 1)).Is<RowWeights>());
  const Weights thin({400, 1000, 0.01, 3});
  EXPECT_TRUE(thin.Pack(thin.Plan(Isa::kPortable, 1)).Is<RowWeights>());
  const Weights raw({64, 100, 0.6, 0});
  EXPECT_TRUE(raw.Pack(raw.Plan(Isa::kAvx512, 1)).Is<DenseRows>());
  const Weights cached({256, 1024, 0.12, 0});
  EXPECT_TRUE(cached.Pack(cached.Plan(Isa::kAvx512, 1)).Is<DenseRows>());
  EXPECT_TRUE(cached.Pack(cached.Plan(Isa::kAvx2, 1)).Is<RowWeights>());
  EXPECT_TRUE(cached.Pack(cached.Plan(Isa::kNeon, 1)).Is<RowWeights>());
  const Weights denser({256, 1024, 0.27, 31});
  EXPECT_TRUE(denser.Pack(denser.Plan(Isa::kNeon, 1)).Is<DenseRows>());
  EXPECT_TRUE(denser.Pack(denser.Plan(Isa::kAvx2, 1)).Is<ProductSums>());
  const Weights large({257, 1024, 0.12, 0});
  EXPECT_TRUE(large.Pack(large.Plan(Isa::kAvx512, 1)).Is<RowWeights>());
  const Weights sparse({256, 1024, 0.06, 0});
  EXPECT_TRUE(sparse.Pack(sparse.Plan(Isa::kAvx512, 1)).Is<RowWeights>());
}

TEST(FullyConnected, MoreRowsThanAPanelHoldsOnOneThread) {
  const Weights weights({BlockedWeights::kMaxRows + 9, 9, 0.9, 2});
  const FullyConnectedPlan plan = weights.Plan(Isa::kPortable, 1);
  const FullyConnected packed = weights.Pack(plan);
  EXPECT_TRUE(packed.Is<ProductSums>());
  const std::vector<float> input = RandomVector(9, 2);
  std::vector<float> output(packed.num_rows(), kNaN);
  FullyConnectedScratch scratch;
  packed.Run(plan, input.data(), nullptr, Activation::kNone, nullptr, &scratch,
             output.data());
  ExpectClose(output, Reference(weights, input, 1, nullptr, Activation::kNone),
              1e-5f);
}

TEST(FullyConnected, PanelsFitTheThreadsTheyWereMadeFor) {
  const Weights weights({64, 9000, 0.1, 9});
  const FullyConnected packed =
      weights.Pack(weights.Plan(Isa::kPortable, 1, 2));
  EXPECT_TRUE(packed.Fits(weights.Plan(Isa::kPortable, 2, 2)));
  EXPECT_FALSE(packed.Fits(weights.Plan(Isa::kPortable, 1, 1)));
}

TEST(FullyConnected, FormsAreCompact) {
  const Weights weights({512, 8192, 0.09, 31});
  const auto num_kept = static_cast<double>(weights.sparse.columns.size());
  for (const Isa isa : {Isa::kPortable, Isa::kAvx512}) {
    for (const size_t batch : std::vector<size_t>{1, 32}) {
      const FullyConnected packed = weights.Pack(weights.Plan(isa, batch));
      EXPECT_LT(static_cast<double>(packed.size_bytes()), 3.4 * num_kept)
          << IsaName(isa) << " " << batch;
    }
  }
}

TEST(FullyConnected, RefusesOtherTypesThanFloat32) {
  SparseRows half;
  half.dtype = KDC_FLOAT16;
  half.row_begin = {0};
  FullyConnected packed;
  EXPECT_EQ(FullyConnected::Pack(half, FullyConnectedPlan(), &packed),
            KDC_INVALID_ARGUMENT);
}

#if defined(KERAS_DC_X86_KERNELS)

TEST(LockstepWeights, GiveTheSameBitsHoweverTheyArePrefetched) {
  if (SupportedIsas().back() < Isa::kAvx512) GTEST_SKIP() << "no AVX-512";
  const Weights weights({100, 9000, 0.06, 31});
  ASSERT_TRUE(LockstepWeights::Suits(weights.sparse));
  const auto packed = LockstepWeights::Pack(weights.sparse);
  const LockstepView view(packed);
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  AlignedVector<float> input;
  input.resize(9024);
  for (size_t i = 0; i < 9000; ++i) input[i] = normal(random);
  for (size_t i = 9000; i < 9024; ++i) input[i] = 0;
  std::vector<float> near(100, kNaN), far(100, kNaN);
  for (auto [prefetch, output] :
       {std::pair(Prefetch::kNear, &near), std::pair(Prefetch::kFar, &far)}) {
    AlignedVector<float> sums;
    sums.resize(packed.num_groups * LockstepWeights::kLanes);
    RunLockstepAvx512(view, prefetch, 0, packed.num_groups, input.data(),
                      sums.data(), output->data());
  }
  EXPECT_EQ(BytesOf(near), BytesOf(far));
  for (size_t row = 0; row < 100; ++row) {
    double expected = 0;
    for (size_t i = 0; i < 9000; ++i) {
      expected += double{weights.dense[row * 9000 + i]} * double{input[i]};
    }
    EXPECT_NEAR(near[row], expected, 1e-3);
  }
}

#endif  // KERAS_DC_X86_KERNELS

}  // namespace
}  // namespace keras_dc
