#include "kernels/fully_connected.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <utility>

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

// Random weights in both forms.
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
    sparse.shape = {sparse.num_rows, sparse.num_columns};
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

  FullyConnected Pack() const {
    FullyConnected packed;
    EXPECT_EQ(FullyConnected::Pack(sparse, &packed), KDC_OK);
    return packed;
  }

  SparseTensor sparse;
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

std::vector<float> Compute(const FullyConnected& packed,
                           const std::vector<float>& input, size_t batch,
                           const float* bias, Activation activation) {
  std::vector<float> scratch;
  std::vector<float> output(batch * packed.num_rows(), kNaN);
  packed.Run(input.data(), batch, bias, activation, &scratch, output.data());
  return output;
}

class FullyConnectedTest : public testing::TestWithParam<Case> {};

TEST_P(FullyConnectedTest, AgreesWithReferenceAtEveryBatchSize) {
  const Weights weights(GetParam());
  const FullyConnected packed = weights.Pack();
  const std::vector<float> bias = RandomVector(packed.num_rows(), 1);
  for (const size_t batch : std::vector<size_t>{0, 1, 2, 3, 7, 8, 9, 33}) {
    SCOPED_TRACE(batch);
    const auto input = RandomVector(batch * packed.num_columns(), 2);
    for (const float* b : {static_cast<const float*>(nullptr), bias.data()}) {
      ExpectClose(Compute(packed, input, batch, b, Activation::kNone),
                  Reference(weights, input, batch, b, Activation::kNone),
                  5e-3f);
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
                    Case{2, 70000, 0.5, 31}));

TEST(FullyConnected, AppliesEachActivation) {
  const Weights weights({31, 77, 0.2, 15});
  const FullyConnected packed = weights.Pack();
  const auto input = RandomVector(9 * 77, 3);
  for (uint8_t i = 0; i < kNumActivations; ++i) {
    SCOPED_TRACE(int{i});
    const auto activation = static_cast<Activation>(i);
    ExpectClose(Compute(packed, input, 9, nullptr, activation),
                Reference(weights, input, 9, nullptr, activation), 1e-4f);
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

TEST(FullyConnected, NonFiniteInputsGiveWhatTheDenseLayerGives) {
  for (const double density : {0.0, 0.1, 0.3, 0.9}) {
    const Weights weights({31, 20, density, 15});
    const FullyConnected packed = weights.Pack();
    auto input = RandomVector(10 * 20, 4);
    input[0 * 20 + 7] = kInf;
    input[3 * 20 + 0] = kNaN;
    input[9 * 20 + 19] = -kInf;
    ExpectClose(Compute(packed, input, 10, nullptr, Activation::kNone),
                Reference(weights, input, 10, nullptr, Activation::kNone),
                1e-4f);
  }
}

TEST(FullyConnected, SparseResultDoesNotDependOnTheBatch) {
  const Weights weights({31, 77, 0.2, 15});
  const FullyConnected packed = weights.Pack();
  ASSERT_FALSE(packed.is_dense());
  const auto input = RandomVector(33 * 77, 5);
  const auto together = Compute(packed, input, 33, nullptr, Activation::kNone);
  for (size_t b = 0; b < 33; ++b) {
    const std::vector<float> row(input.begin() + static_cast<long>(b) * 77,
                                 input.begin() + static_cast<long>(b + 1) * 77);
    const auto alone = Compute(packed, row, 1, nullptr, Activation::kNone);
    for (size_t r = 0; r < 31; ++r) EXPECT_EQ(alone[r], together[b * 31 + r]);
  }
}

TEST(FullyConnected, SparseFormIsCompact) {
  const Weights weights({300, 784, 0.08, 31});
  const FullyConnected packed = weights.Pack();
  const size_t num_kept = weights.sparse.columns.size();
  const size_t rows_and_codebook = 301 * sizeof(uint32_t) + 256 * sizeof(float);
  EXPECT_EQ(packed.size_bytes(), 3 * num_kept + rows_and_codebook);
}

TEST(FullyConnected, DenseFormIsTakenAboveItsDensityOnly) {
  EXPECT_FALSE(Weights({100, 100, 0.3, 31}).Pack().is_dense());
  EXPECT_TRUE(Weights({100, 100, 0.4, 31}).Pack().is_dense());
}

TEST(FullyConnected, RefusesOtherTypesThanFloat32) {
  SparseTensor half;
  half.dtype = KDC_FLOAT16;
  half.row_begin = {0};
  FullyConnected packed;
  EXPECT_EQ(FullyConnected::Pack(half, &packed), KDC_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace keras_dc
