#include "decode/entry_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <mutex>
#include <random>
#include <utility>

#include "blob_kinds.h"
#include "common/crc32.h"
#include "decode/streaming/line_source.h"

namespace keras_dc {
namespace {

const std::vector<int64_t> kShapes[] = {
    {37, 500}, {120, 3, 3, 20}, {1, 4000}, {4000, 1}, {3, 5}};

// As many entries as take several streams: they alternate, so that blobs stay
// small. If `has_mask`, some rows are zero.
BlobKind ManyStreams(bool has_mask, bool has_mask_model) {
  const std::vector<int64_t> shape = {24, 24000};
  std::vector<float> values(24 * 24000);
  for (size_t i = 0; i < values.size(); ++i) {
    const bool is_dead = has_mask && i / 24000 == 11;
    values[i] = is_dead ? 0.0f : 1.0f + static_cast<float>(i % 2);
  }
  return KindOf(has_mask_model ? "streams, mask" : "streams", shape,
                Recoded(EncodeFloats(values, shape), has_mask_model));
}

// Writes lines to the dense tensor.
void Fill(const ParsedBlob& blob, const SparseRows& lines, size_t first,
          std::vector<float>* values) {
  const auto num_columns = static_cast<size_t>(blob.matrix().columns);
  for (size_t l = 0; l < static_cast<size_t>(lines.num_rows); ++l) {
    for (size_t e = lines.row_begin[l]; e < lines.row_begin[l + 1]; ++e) {
      const size_t place = blob.is_by_rows()
                               ? (first + l) * num_columns + lines.columns[e]
                               : lines.columns[e] * num_columns + first + l;
      std::memcpy(&values->at(place), lines.ValueAt(e), sizeof(float));
    }
  }
}

kdc_status ReadBySource(const BlobKind& kind, size_t range_entries,
                        size_t num_threads, std::vector<float>* values) {
  values->assign(kind.values.size(), 0.0f);
  LineSource source;
  const kdc_status status = source.Open(Parsed(kind.blob), range_entries);
  if (status != KDC_OK) return status;
  ThreadPool pool;
  std::mutex mutex;
  return source.ForEach(&pool, num_threads,
                        [&](const SparseRows& lines, size_t first, size_t) {
                          const std::lock_guard<std::mutex> lock(mutex);
                          Fill(source.blob(), lines, first, values);
                          return KDC_OK;
                        });
}

void ExpectAgreement(const BlobKind& kind, size_t num_threads,
                     const std::vector<size_t>& ranges) {
  SCOPED_TRACE(testing::Message() << kind.name << ", " << num_threads);
  for (const size_t range_entries : ranges) {
    std::vector<float> values;
    ASSERT_EQ(ReadBySource(kind, range_entries, num_threads, &values), KDC_OK);
    EXPECT_EQ(values, kind.values);
  }
  std::vector<float> dense(kind.values.size());
  ASSERT_EQ(DecodeDense(Parsed(kind.blob), num_threads, dense.data(),
                        dense.size() * sizeof(float)),
            KDC_OK);
  EXPECT_EQ(dense, kind.values);
  SparseRows sparse;
  ASSERT_EQ(DecodeSparse(Parsed(kind.blob), num_threads, &sparse), KDC_OK);
  std::vector<float> filled(kind.values.size());
  for (size_t r = 0; r < kind.num_rows(); ++r) {
    for (size_t e = sparse.row_begin[r]; e < sparse.row_begin[r + 1]; ++e) {
      std::memcpy(&filled.at(r * kind.num_columns() + sparse.columns[e]),
                  sparse.ValueAt(e), sizeof(float));
    }
  }
  EXPECT_EQ(filled, kind.values);
}

TEST(EntryReader, LinesAreThoseOfTheDenseForm) {
  for (const auto& shape : kShapes) {
    for (const BlobKind& kind : AllBlobKinds(shape)) {
      ExpectAgreement(kind, 1, {1, 100, 1 << 20});
    }
  }
}

TEST(EntryReader, ReadsAsFewLinesAsHoldTheEntries) {
  for (const BlobKind& kind : AllBlobKinds({37, 500})) {
    if (InfoOf(kind.blob).coder != KDC_ARITHMETIC) continue;
    SCOPED_TRACE(kind.name);
    const ParsedBlob blob = Parsed(kind.blob);
    EntryReader reader(blob, 0);
    EntryLines lines;
    size_t num_lines = 0, num_entries = 0;
    while (!reader.is_done()) {
      ASSERT_EQ(reader.line(), num_lines);
      ASSERT_EQ(reader.entry(), num_entries);
      ASSERT_EQ(reader.NextLines(300, &lines), KDC_OK);
      const size_t size = lines.line_begin.size();
      ASSERT_GE(size, 2u);
      EXPECT_LT(lines.line_begin[size - 2], 300u);
      EXPECT_EQ(lines.line_begin[size - 1], lines.offsets.size());
      EXPECT_EQ(lines.items.size(), reader.item_size() * lines.offsets.size());
      num_lines += size - 1;
      num_entries += lines.offsets.size();
    }
    EXPECT_EQ(num_lines, blob.num_lines());
    EXPECT_EQ(num_entries, blob.num_entries());
  }
}

// Whether zeros are coded by a mask, and whether by a model of it.
class ManyStreamsTest : public testing::TestWithParam<std::pair<bool, bool>> {};

// Built with KERAS_DC_SANITIZE_THREADS, it proves that streams share nothing
// unguarded.
TEST_P(ManyStreamsTest, ThreadsShareTheStreams) {
  const auto [has_mask, has_mask_model] = GetParam();
  const BlobKind kind = ManyStreams(has_mask, has_mask_model);
  ASSERT_EQ(InfoOf(kind.blob).coder, KDC_ARITHMETIC);
  ASSERT_GT(InfoOf(kind.blob).num_streams, 1);
  for (size_t num_threads = 1; num_threads <= 4; ++num_threads) {
    ExpectAgreement(kind, num_threads, {40000});
  }
}

INSTANTIATE_TEST_SUITE_P(Masks, ManyStreamsTest,
                         testing::Values(std::pair(false, false),
                                         std::pair(true, false),
                                         std::pair(true, true)));

// Puts other bytes behind the right checksum, and reads in all ways: they agree
// on whether the blob is refused, and on the tensor. To be run with the
// sanitizers.
TEST(EntryReader, DamagedBlobsAreRefusedByAllFormsAlike) {
  std::mt19937 random(7);
  for (const BlobKind& kind : AllBlobKinds({12, 3, 3, 5})) {
    if (InfoOf(kind.blob).coder != KDC_ARITHMETIC) continue;
    SCOPED_TRACE(kind.name);
    for (int round = 0; round < 200; ++round) {
      BlobKind damaged = kind;
      std::vector<uint8_t>& bytes = damaged.blob;
      const size_t body = bytes.size() - kChecksumBytes;
      // The shape stays.
      for (int i = 0; i < 1 + round % 3; ++i) {
        bytes[11 + random() % (body - 11)] = static_cast<uint8_t>(random());
      }
      const uint32_t checksum = Crc32(bytes.data(), body);
      for (size_t i = 0; i < kChecksumBytes; ++i) {
        bytes[body + i] = static_cast<uint8_t>(checksum >> (8 * i));
      }
      ParsedBlob blob;
      if (ReadBlob(bytes.data(), bytes.size(), &blob) != KDC_OK) continue;
      std::vector<float> dense(kind.values.size()), lines;
      const kdc_status status =
          DecodeDense(blob, 2, dense.data(), dense.size() * sizeof(float));
      EXPECT_EQ(ReadBySource(damaged, 20, 2, &lines), status);
      SparseRows sparse;
      EXPECT_EQ(DecodeSparse(blob, 2, &sparse), status);
      if (status != KDC_OK) continue;
      EXPECT_EQ(
          std::memcmp(lines.data(), dense.data(), dense.size() * sizeof(float)),
          0);
    }
  }
}

}  // namespace
}  // namespace keras_dc
