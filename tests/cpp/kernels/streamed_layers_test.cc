#include "kernels/streamed_layers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>

#include "blob_kinds.h"

namespace keras_dc {
namespace {

std::vector<float> SomeInput(size_t size) {
  std::vector<float> input(size);
  for (size_t i = 0; i < size; ++i) {
    input[i] = static_cast<float>(i * 37 % 101) / 50.0f - 1.0f;
  }
  return input;
}

void ExpectClose(const std::vector<float>& values,
                 const std::vector<float>& expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(expected[i])) {
      EXPECT_TRUE(std::isnan(values[i])) << i;
    } else if (std::isinf(expected[i])) {
      EXPECT_EQ(values[i], expected[i]) << i;
    } else {
      EXPECT_NEAR(values[i], expected[i],
                  1e-4 * std::max(1.0f, std::abs(expected[i])))
          << i;
    }
  }
}

SparseRows Decoded(const BlobKind& kind) {
  SparseRows sparse;
  EXPECT_EQ(DecodeSparse(Parsed(kind.blob), 1, &sparse), KDC_OK);
  return sparse;
}

TEST(StreamedWeights, VisitsEachRowOnce) {
  // And blobs with more entries than a range holds, by rows and by columns.
  std::vector<BlobKind> kinds = AllBlobKinds({37, 500});
  kinds.push_back(
      KindOf("long", {400, 1000},
             EncodeFloats(SparseValues(400 * 1000, 0.4, 31), {400, 1000})));
  kinds.push_back(KindOf("long columns", {1600, 1000},
                         EncodeFloats(FullColumns(1600, 1000), {1600, 1000})));
  for (const BlobKind& kind : kinds) {
    SCOPED_TRACE(kind.name);
    for (const size_t num_threads : {1, 3}) {
      StreamedWeights weights;
      ASSERT_EQ(weights.Open(Parsed(kind.blob), num_threads), KDC_OK);
      if (kind.name.substr(0, 4) == "long") {
        EXPECT_GT(weights.num_ranges(), 1u);
      }
      ThreadPool pool;
      std::mutex mutex;
      std::vector<float> values(kind.values.size());
      std::vector<int> visits(kind.num_rows());
      const kdc_status status = weights.ForEachRange(
          &pool, num_threads,
          [&](const SparseRows& rows, size_t first_row, size_t) {
            const std::lock_guard<std::mutex> lock(mutex);
            EXPECT_LE(static_cast<size_t>(rows.num_rows), weights.max_rows());
            for (size_t r = 0; r < static_cast<size_t>(rows.num_rows); ++r) {
              ++visits[first_row + r];
              for (size_t e = rows.row_begin[r]; e < rows.row_begin[r + 1];
                   ++e) {
                std::memcpy(&values[(first_row + r) * kind.num_columns() +
                                    rows.columns[e]],
                            rows.ValueAt(e), sizeof(float));
              }
            }
            return KDC_OK;
          });
      EXPECT_EQ(status, KDC_OK);
      EXPECT_EQ(values, kind.values);
      EXPECT_EQ(visits, std::vector<int>(kind.num_rows(), 1));
    }
  }
}

TEST(StreamedWeights, AFailureEndsTheWalk) {
  for (const BlobKind& kind : AllBlobKinds({120, 3, 3, 20})) {
    SCOPED_TRACE(kind.name);
    StreamedWeights weights;
    ASSERT_EQ(weights.Open(Parsed(kind.blob), 1), KDC_OK);
    const auto fail = [](const SparseRows&, size_t, size_t) {
      return KDC_OUT_OF_MEMORY;
    };
    EXPECT_EQ(weights.ForEachRange(nullptr, 1, fail), KDC_OUT_OF_MEMORY);
    const auto throw_it = [](const SparseRows&, size_t, size_t) -> kdc_status {
      throw std::bad_alloc();
    };
    EXPECT_EQ(weights.ForEachRange(nullptr, 1, throw_it), KDC_OUT_OF_MEMORY);
  }
}

TEST(StreamedWeights, RefusesABlobThatChanged) {
  for (const BlobKind& kind : AllBlobKinds({120, 3, 3, 20})) {
    SCOPED_TRACE(kind.name);
    if (InfoOf(kind.blob).gap_bits == 0 || InfoOf(kind.blob).num_kept == 0) {
      continue;
    }
    std::vector<uint8_t> blob = kind.blob;
    StreamedWeights weights;
    ASSERT_EQ(weights.Open(Parsed(blob), 1), KDC_OK);
    // The gaps are last in the blob; they become other symbols.
    std::fill(blob.end() - 40, blob.end() - 4, uint8_t{0xff});
    const kdc_status status = weights.ForEachRange(
        nullptr, 1, [](const SparseRows&, size_t, size_t) { return KDC_OK; });
    EXPECT_TRUE(status == KDC_BAD_POSITION || status == KDC_BAD_STREAM)
        << status;
  }
}

TEST(StreamedLayers, AFullyConnectedLayerGivesWhatThePackedOneGives) {
  constexpr size_t kRows = 160, kColumns = 200;
  const Isa isa = ThisCpu().isa;
  for (const BlobKind& kind : AllBlobKinds({kRows, kColumns})) {
    for (const size_t batch : {1, 2, 5}) {
      for (const size_t num_threads : {1, 3}) {
        SCOPED_TRACE(kind.name + " batch " + std::to_string(batch) +
                     " threads " + std::to_string(num_threads));
        const FullyConnectedPlan plan(kRows, kColumns, batch, isa, num_threads);
        StreamedWeights weights;
        ASSERT_EQ(weights.Open(Parsed(kind.blob), num_threads), KDC_OK);
        const FullyConnectedPlan range_plan(weights.max_rows(), kColumns, batch,
                                            isa, num_threads);
        FullyConnected packed;
        ASSERT_EQ(FullyConnected::Pack(Decoded(kind), plan, &packed), KDC_OK);
        ThreadPool pool;
        FullyConnectedScratch scratch;
        std::vector<float> input = SomeInput(batch * kColumns);
        const std::vector<float> bias = SomeInput(kRows);
        for (const float special :
             {0.5f, std::numeric_limits<float>::infinity(),
              std::numeric_limits<float>::quiet_NaN()}) {
          input[input.size() / 3] = special;
          const float* bias_or_null = special == 0.5f ? bias.data() : nullptr;
          std::vector<float> expected(batch * kRows), output(batch * kRows, 9);
          packed.Run(plan, input.data(), bias_or_null, Activation::kRelu6,
                     &pool, &scratch, expected.data());
          ASSERT_EQ(RunStreamed(weights, range_plan, input.data(), bias_or_null,
                                Activation::kRelu6, &pool, output.data()),
                    KDC_OK);
          ExpectClose(output, expected);
        }
      }
    }
  }
}

TEST(StreamedLayers, AConvolutionGivesWhatThePackedOneGives) {
  ConvShape shape;
  shape.batch = 2;
  for (ConvAxis* axis : {&shape.height, &shape.width}) {
    axis->input = axis->output = 5;
    axis->kernel = 3;
    axis->padding = 1;
  }
  constexpr size_t kFilters = 120, kChannels = 20, kPixels = 2 * 25;
  const Isa isa = ThisCpu().isa;
  for (const BlobKind& kind : AllBlobKinds({kFilters, 3, 3, kChannels})) {
    for (const size_t num_threads : {1, 2}) {
      SCOPED_TRACE(kind.name + " threads " + std::to_string(num_threads));
      const ConvPlan plan(shape, kFilters, kChannels, isa, num_threads);
      StreamedWeights weights;
      ASSERT_EQ(weights.Open(Parsed(kind.blob), num_threads), KDC_OK);
      const ConvPlan range_plan(shape, weights.max_rows(), kChannels, isa,
                                num_threads);
      Conv2D packed;
      ASSERT_EQ(Conv2D::Pack(Decoded(kind), plan, &packed), KDC_OK);
      ThreadPool pool;
      ConvScratch scratch;
      std::vector<float> input = SomeInput(kPixels * kChannels);
      const std::vector<float> bias = SomeInput(kFilters);
      for (const float special :
           {0.5f, -std::numeric_limits<float>::infinity()}) {
        input[input.size() / 3] = special;
        for (const Activation activation :
             {Activation::kRelu, Activation::kTanh}) {
          std::vector<float> expected(kPixels * kFilters);
          std::vector<float> output(expected.size(), 9);
          packed.Run(plan, input.data(), bias.data(), activation, &pool,
                     &scratch, expected.data());
          ASSERT_EQ(RunStreamed(weights, range_plan, input.data(), bias.data(),
                                activation, &pool, output.data()),
                    KDC_OK);
          ExpectClose(output, expected);
        }
      }
    }
  }
}

}  // namespace
}  // namespace keras_dc
