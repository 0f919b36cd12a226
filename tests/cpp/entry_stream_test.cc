#include "entry_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "crc32.h"
#include "fake_runtime.h"

namespace keras_dc {
namespace {

std::vector<float> Sparse(size_t size, double density, unsigned num_values) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> uniform;
  std::vector<float> values(size);
  for (float& value : values) {
    if (uniform(random) < density) {
      value = 0.37f * static_cast<float>(random() % num_values + 1);
    }
  }
  return values;
}

TEST(EntryStream, AddsTheProduct) {
  struct Case {
    int64_t rows, columns;
    double density;
    unsigned num_values;
  };
  for (const Case& c :
       {Case{3, 5, 0.3, 2}, Case{64, 1000, 0.05, 31}, Case{300, 700, 0.1, 31},
        Case{1, 50000, 0.02, 200}, Case{40, 800, 0.02, 1}}) {
    SCOPED_TRACE(c.columns);
    const auto size = static_cast<size_t>(c.rows * c.columns);
    const std::vector<float> weights = Sparse(size, c.density, c.num_values);
    const std::vector<uint8_t> blob =
        EncodeFloats(weights, {c.rows, c.columns});
    EntryStream stream;
    ASSERT_EQ(stream.Open(blob.data(), blob.size()), KDC_OK);
    std::vector<float> input(static_cast<size_t>(c.columns));
    for (size_t i = 0; i < input.size(); ++i) {
      input[i] = static_cast<float>(i % 7) - 3.0f;
    }
    std::vector<float> output(static_cast<size_t>(c.rows), 1.0f);
    for (int repeat = 1; repeat <= 2; ++repeat) {
      ASSERT_EQ(stream.AddProduct(input.data(), output.data()), KDC_OK);
    }
    for (size_t row = 0; row < output.size(); ++row) {
      double expected = 1.0;
      for (size_t i = 0; i < input.size(); ++i) {
        expected +=
            2.0 * double{weights[row * input.size() + i]} * double{input[i]};
      }
      EXPECT_NEAR(output[row], expected, 0.05) << row;
    }
  }
}

TEST(EntryStream, WalksBlocksOfRows) {
  constexpr int64_t kRows = 37, kColumns = 500;
  std::vector<float> weights = Sparse(kRows * kColumns, 0.05, 31);
  // Rows without an entry, at the end too.
  for (const int row : {0, 9, 10, 11, 12, 36}) {
    std::fill_n(weights.begin() + row * kColumns, kColumns, 0.0f);
  }
  const std::vector<uint8_t> blob = EncodeFloats(weights, {kRows, kColumns});
  EntryStream stream;
  ASSERT_EQ(stream.Open(blob.data(), blob.size()), KDC_OK);
  ASSERT_TRUE(stream.is_by_rows());
  for (const size_t block_rows : {1, 3, 4, 36, 37, 100}) {
    SCOPED_TRACE(block_rows);
    std::vector<float> decoded(weights.size());
    size_t next_row = 0;
    const kdc_status status = stream.ForEachBlock(
        block_rows, [&](const SparseTensor& block, size_t first_row) {
          EXPECT_EQ(first_row, next_row);
          const auto num_rows = static_cast<size_t>(block.num_rows);
          EXPECT_EQ(num_rows, std::min(block_rows, kRows - next_row));
          EXPECT_EQ(block.row_begin.size(), num_rows + 1);
          EXPECT_EQ(block.num_columns, kColumns);
          for (size_t r = 0; r < num_rows; ++r) {
            for (size_t e = block.row_begin[r]; e < block.row_begin[r + 1];
                 ++e) {
              std::memcpy(
                  &decoded[(first_row + r) * kColumns + block.columns[e]],
                  &block.codebook[block.indices[e] * sizeof(float)],
                  sizeof(float));
            }
          }
          next_row += num_rows;
          return KDC_OK;
        });
    EXPECT_EQ(status, KDC_OK);
    EXPECT_EQ(next_row, static_cast<size_t>(kRows));
    EXPECT_EQ(decoded, weights);
  }
  int num_calls = 0;
  const auto stop = [&num_calls](const SparseTensor&, size_t) {
    return ++num_calls == 2 ? KDC_OUT_OF_MEMORY : KDC_OK;
  };
  EXPECT_EQ(stream.ForEachBlock(5, stop), KDC_OUT_OF_MEMORY);
  EXPECT_EQ(num_calls, 2);
  EXPECT_EQ(stream.ForEachBlock(0, stop), KDC_INVALID_ARGUMENT);
}

TEST(EntryStream, HasNoBlocksOfRowsInAScanByColumns) {
  // Two full columns of 300: their gaps are zeros there, and long by rows.
  std::vector<float> weights(300 * 100);
  for (size_t row = 0; row < 300; ++row) {
    weights[row * 100 + 4] = weights[row * 100 + 70] =
        static_cast<float>(row % 3 + 1);
  }
  const std::vector<uint8_t> blob = EncodeFloats(weights, {300, 100});
  EntryStream stream;
  ASSERT_EQ(stream.Open(blob.data(), blob.size()), KDC_OK);
  ASSERT_FALSE(stream.is_by_rows());
  const auto never = [](const SparseTensor&, size_t) {
    ADD_FAILURE();
    return KDC_OK;
  };
  EXPECT_EQ(stream.ForEachBlock(5, never), KDC_INVALID_ARGUMENT);
}

TEST(EntryStream, RefusesWhatItCannotRead) {
  EntryStream stream;
  const std::vector<uint8_t> dense = EncodeFloats(Sparse(600, 1, 9), {20, 30});
  EXPECT_EQ(stream.Open(dense.data(), dense.size()), KDC_INVALID_ARGUMENT);
  std::vector<uint8_t> blob = EncodeFloats(Sparse(600, 0.1, 9), {20, 30});
  blob[blob.size() / 2] ^= 1;
  EXPECT_EQ(stream.Open(blob.data(), blob.size()), KDC_BAD_CHECKSUM);
}

// The example of FORMAT.md, 10, with the gaps 1 2 3 1 0 3: every position is
// inside the tensor, but the last symbol is a filler.
TEST(EntryStream, RefusesATrailingFiller) {
  std::vector<uint8_t> blob = {0x4b, 0x44, 0x43, 0x01, 0x20, 0x03, 0x02, 0x02,
                               0x08, 0x04, 0x02, 0x01, 0x00, 0x38, 0x00, 0x34,
                               0x21, 0x42, 0x00, 0x01, 0x02, 0xb6, 0x0c};
  const uint32_t checksum = Crc32(blob.data(), blob.size());
  for (int i = 0; i < 4; ++i) {
    blob.push_back(static_cast<uint8_t>(checksum >> (8 * i)));
  }
  EntryStream stream;
  ASSERT_EQ(stream.Open(blob.data(), blob.size()), KDC_OK);
  const float input[8] = {};
  float output[2] = {};
  EXPECT_EQ(stream.AddProduct(input, output), KDC_BAD_POSITION);
}

}  // namespace
}  // namespace keras_dc
