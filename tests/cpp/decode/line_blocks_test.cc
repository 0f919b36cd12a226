#include "decode/streaming/line_blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "blob_kinds.h"
#include "common/crc32.h"

namespace keras_dc {
namespace {

// Decodes `step` blocks at a time to the dense tensor.
kdc_status DecodeInSteps(const LineBlocks& blocks, size_t step,
                         std::vector<float>* values) {
  const auto size = static_cast<size_t>(blocks.blob().info.num_weights);
  const auto length = static_cast<size_t>(blocks.line_length());
  values->assign(size, 0.0f);
  const LineBlocks::Tables tables = blocks.MakeTables();
  LineBlocks::Scratch scratch;
  SparseRows lines;
  for (size_t begin = 0; begin < blocks.num_blocks(); begin += step) {
    const size_t end = std::min(begin + step, blocks.num_blocks());
    const kdc_status status =
        blocks.Decode(tables, begin, end, &scratch, &lines);
    if (status != KDC_OK) return status;
    for (size_t l = 0; l < static_cast<size_t>(lines.num_rows); ++l) {
      for (size_t e = lines.row_begin[l]; e < lines.row_begin[l + 1]; ++e) {
        const size_t line = blocks.first_line(begin) + l;
        const size_t place = blocks.is_by_rows()
                                 ? line * length + lines.columns[e]
                                 : lines.columns[e] * (size / length) + line;
        std::memcpy(&values->at(place), lines.ValueAt(e), sizeof(float));
      }
    }
  }
  return KDC_OK;
}

TEST(LineBlocks, DecodesAnyRangeOfAnyKind) {
  for (const auto& shape :
       {std::vector<int64_t>{37, 500}, {120, 3, 3, 20}, {1, 4000}, {4000, 1}}) {
    for (const BlobKind& kind : AllBlobKinds(shape)) {
      SCOPED_TRACE(kind.name);
      if (InfoOf(kind.blob).coder == KDC_ARITHMETIC) continue;
      for (const size_t block_entries : {1, 100, 3000, 1 << 20}) {
        SCOPED_TRACE(block_entries);
        LineBlocks blocks;
        ASSERT_EQ(blocks.Open(Parsed(kind.blob), block_entries), KDC_OK);
        for (const size_t step : {size_t{1}, size_t{8}, blocks.num_blocks()}) {
          std::vector<float> values;
          ASSERT_EQ(DecodeInSteps(blocks, step, &values), KDC_OK);
          EXPECT_EQ(values, kind.values);
        }
      }
    }
  }
}

TEST(LineBlocks, DecodesBlobsOfSeveralStreams) {
  const std::vector<int64_t> shape = {600, 600};
  for (const std::vector<float>& weights :
       {SparseValues(600 * 600, 0.25, 200), SparseValues(600 * 600, 1, 9),
        SparseValues(600 * 600, 0.25, 0), FullColumns(600, 600)}) {
    const std::vector<uint8_t> blob = EncodeFloats(weights, shape);
    ASSERT_EQ(InfoOf(blob).num_streams, 8);
    for (const size_t block_entries : {900, 9000, 50000}) {
      SCOPED_TRACE(block_entries);
      LineBlocks blocks;
      ASSERT_EQ(blocks.Open(Parsed(blob), block_entries), KDC_OK);
      for (const size_t step : {1, 5}) {
        std::vector<float> values;
        ASSERT_EQ(DecodeInSteps(blocks, step, &values), KDC_OK);
        EXPECT_EQ(values, weights);
      }
    }
  }
}

TEST(LineBlocks, KindsAreWhatTheyAreCalled) {
  const std::vector<BlobKind> kinds = AllBlobKinds({120, 3, 3, 20});
  const auto info = [&kinds](const std::string& name) {
    const auto kind =
        std::find_if(kinds.begin(), kinds.end(),
                     [&](const BlobKind& k) { return k.name == name; });
    return InfoOf(kind->blob);
  };
  EXPECT_NE(info("gaps").gap_bits, 0);
  EXPECT_GT(info("fillers").num_fillers, 0);
  EXPECT_EQ(info("one centroid").num_centroids, 1);
  EXPECT_EQ(info("no gaps").gap_bits, 0);
  EXPECT_EQ(info("values with gaps").num_centroids, 0);
  EXPECT_EQ(info("values with gaps").value_planes, 1);
  EXPECT_EQ(info("values").value_planes, 1);
  EXPECT_EQ(info("values").gap_bits, 0);
  EXPECT_EQ(info("half values with gaps").value_planes, 1);
  EXPECT_EQ(info("dead rows").line_classes, 1);
  EXPECT_EQ(info("dead columns").line_classes, 1);
  EXPECT_EQ(info("dead columns").column_major, 1);
  EXPECT_EQ(info("columns").column_major, 1);
  EXPECT_EQ(info("scaled rows").scale_axis, KDC_FIRST_AXIS);
  EXPECT_EQ(info("scaled columns").scale_axis, KDC_LAST_AXIS);
  EXPECT_EQ(info("arithmetic").coder, KDC_ARITHMETIC);
  EXPECT_EQ(info("arithmetic columns").coder, KDC_ARITHMETIC);
  EXPECT_EQ(info("arithmetic values").coder, KDC_ARITHMETIC);
  EXPECT_EQ(info("arithmetic values").value_planes, 1);
  EXPECT_EQ(info("arithmetic columns").column_major, 1);
}

TEST(LineBlocks, ABlockHasAsFewLinesAsHoldItsEntries) {
  // Rows of 10 entries each.
  std::vector<float> weights(50 * 100);
  for (size_t i = 0; i < weights.size(); i += 10) {
    weights[i] = static_cast<float>(i % 3 + 1);
  }
  const std::vector<uint8_t> blob = EncodeFloats(weights, {50, 100});
  LineBlocks blocks;
  ASSERT_EQ(blocks.Open(Parsed(blob), 15), KDC_OK);
  ASSERT_EQ(blocks.num_blocks(), 25u);
  for (size_t i = 0; i <= 25; ++i) {
    EXPECT_EQ(blocks.first_line(i), 2 * i);
    EXPECT_EQ(blocks.first_entry(i), 20 * i);
  }
}

TEST(LineBlocks, RefusesTheArithmeticCoder) {
  for (const BlobKind& kind : AllBlobKinds({20, 30})) {
    SCOPED_TRACE(kind.name);
    LineBlocks blocks;
    EXPECT_EQ(blocks.Open(Parsed(kind.blob), 9) == KDC_INVALID_ARGUMENT,
              InfoOf(kind.blob).coder == KDC_ARITHMETIC);
  }
}

TEST(ReadBlob, RefusesADamagedBlob) {
  for (const BlobKind& kind : AllBlobKinds({20, 30})) {
    SCOPED_TRACE(kind.name);
    std::vector<uint8_t> damaged = kind.blob;
    damaged[damaged.size() / 2] ^= 1;
    ParsedBlob parsed;
    EXPECT_EQ(ReadBlob(damaged.data(), damaged.size(), &parsed),
              KDC_BAD_CHECKSUM);
  }
}

// A mapped file may change after Open. Whatever it holds then, no memory
// outside is touched. To be run with AddressSanitizer.
TEST(LineBlocks, SurvivesAChangedBlob) {
  std::mt19937 random(7);
  for (const BlobKind& kind : AllBlobKinds({120, 3, 3, 20})) {
    SCOPED_TRACE(kind.name);
    if (InfoOf(kind.blob).coder == KDC_ARITHMETIC) continue;
    std::vector<uint8_t> blob = kind.blob;
    LineBlocks blocks;
    ASSERT_EQ(blocks.Open(Parsed(blob), 100), KDC_OK);
    for (int i = 0; i < 50; ++i) {
      for (int k = 0; k < 5; ++k) {
        blob[random() % blob.size()] = static_cast<uint8_t>(random());
      }
      std::vector<float> values;
      const kdc_status status = DecodeInSteps(blocks, 8, &values);
      EXPECT_TRUE(status == KDC_OK || status == KDC_BAD_POSITION ||
                  status == KDC_BAD_STREAM);
    }
  }
}

// The example of FORMAT.md, 10, with the gaps 1 2 3 1 0 3: every position is
// inside the tensor, but the last symbol is a filler.
TEST(LineBlocks, RefusesATrailingFiller) {
  std::vector<uint8_t> blob = {0x4b, 0x44, 0x43, 0x01, 0x20, 0x03, 0x02, 0x02,
                               0x08, 0x04, 0x02, 0x01, 0x00, 0x38, 0x00, 0x34,
                               0x21, 0x42, 0x00, 0x01, 0x02, 0xb6, 0x0c};
  const uint32_t checksum = Crc32(blob.data(), blob.size());
  for (int i = 0; i < 4; ++i) {
    blob.push_back(static_cast<uint8_t>(checksum >> (8 * i)));
  }
  for (const size_t block_entries : {1, 100}) {
    LineBlocks blocks;
    EXPECT_EQ(blocks.Open(Parsed(blob), block_entries), KDC_BAD_POSITION);
  }
}

}  // namespace
}  // namespace keras_dc
