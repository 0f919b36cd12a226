// The decoder for small machines, held to the large one.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "blob_kinds.h"
#include "common/crc32.h"
#include "common/format.h"
#include "keras_dc/codec.h"
#include "keras_dc/decoder.h"

namespace keras_dc {
namespace {

using Bytes = std::vector<uint8_t>;

struct Decoded {
  int32_t status = KDC_OK;
  Bytes values;

  bool operator==(const Decoded& other) const {
    return status == other.status &&
           (status != KDC_OK || values == other.values);
  }
};

std::vector<std::pair<std::string, Bytes>> BlobsIn(const std::string& folder) {
  std::vector<std::pair<std::string, Bytes>> blobs;
  for (const auto& file :
       std::filesystem::directory_iterator(KERAS_DC_TESTS_DIR + folder)) {
    if (file.path().extension() != ".blob") continue;
    std::ifstream stream(file.path(), std::ios::binary);
    blobs.emplace_back(file.path().filename().string(),
                       Bytes{std::istreambuf_iterator<char>(stream), {}});
  }
  std::sort(blobs.begin(), blobs.end());
  return blobs;
}

Decoded DecodeLarge(const Bytes& blob) {
  Decoded decoded;
  kdc_blob* opened = nullptr;
  decoded.status = kdc_open(blob.data(), blob.size(), &opened);
  if (decoded.status != KDC_OK) return decoded;
  kdc_blob_info info;
  kdc_get_info(opened, &info);
  decoded.values.resize(ItemSize(info.dtype) *
                        static_cast<size_t>(info.num_weights));
  decoded.status =
      kdc_decode(opened, decoded.values.data(), decoded.values.size());
  kdc_close(opened);
  return decoded;
}

// Memory in which nothing outside is touched unseen by a sanitizer, at an odd
// address.
struct Memory {
  explicit Memory(size_t size) : bytes(size + 1) {}
  void* data() { return bytes.data() + 1; }
  size_t size() const { return bytes.size() - 1; }
  Bytes bytes;
};

Decoded DecodeSmall(const Bytes& blob, size_t memory_size) {
  Decoded decoded;
  Memory memory(memory_size);
  kdc_decoder* decoder = nullptr;
  decoded.status = kdc_decoder_open(blob.data(), blob.size(), memory.data(),
                                    memory.size(), &decoder);
  EXPECT_EQ(decoded.status == KDC_OK, decoder != nullptr);
  if (decoded.status != KDC_OK) return decoded;
  decoded.values.resize(kdc_decoder_num_lines(decoder) *
                        kdc_decoder_line_size(decoder));
  decoded.status =
      kdc_decoder_decode(decoder, decoded.values.data(), decoded.values.size());
  return decoded;
}

// Larger tensors, of mutants, only take time.
constexpr size_t kMostBytes = 1 << 21;

// The same, a line at a time. KDC_TOO_LARGE for more than `most_bytes`.
Decoded DecodeLines(const Bytes& blob, size_t most_bytes = kMostBytes) {
  Decoded decoded;
  Memory memory(KDC_DECODER_MEMORY_BYTES);
  kdc_decoder* decoder = nullptr;
  decoded.status = kdc_decoder_open(blob.data(), blob.size(), memory.data(),
                                    memory.size(), &decoder);
  if (decoded.status != KDC_OK) return decoded;
  kdc_blob_info info;
  EXPECT_EQ(kdc_decoder_get_info(decoder, &info), KDC_OK);
  const size_t num_lines = kdc_decoder_num_lines(decoder);
  const size_t item_size = ItemSize(info.dtype);
  if (item_size * static_cast<uint64_t>(info.num_weights) > most_bytes) {
    decoded.status = KDC_TOO_LARGE;
    return decoded;
  }
  Bytes line(kdc_decoder_line_size(decoder));
  decoded.values.resize(num_lines * line.size());
  for (size_t i = 0; i < num_lines; ++i) {
    decoded.status = kdc_decoder_next_line(decoder, line.data(), line.size());
    if (decoded.status != KDC_OK) {
      EXPECT_EQ(kdc_decoder_next_line(decoder, line.data(), line.size()),
                decoded.status);
      return decoded;
    }
    const size_t step = info.column_major != 0 ? item_size : line.size();
    const size_t stride = info.column_major != 0 ? num_lines : 1;
    for (size_t j = 0; j < line.size(); ++j) {
      decoded.values[i * step + j / item_size * item_size * stride +
                     j % item_size] = line[j];
    }
  }
  EXPECT_EQ(kdc_decoder_next_line(decoder, line.data(), line.size()),
            KDC_INVALID_ARGUMENT);
  return decoded;
}

bool IsArithmetic(const std::string& name) {
  return name.find("arithmetic") != std::string::npos;
}

void Seal(Bytes* blob) {
  const size_t size = blob->size() - kChecksumBytes;
  StoreU32(Crc32(blob->data(), size), blob->data() + size);
}

TEST(SmallDecoder, DecodesEveryGoldenBlob) {
  size_t num_decoded = 0;
  for (const auto& [name, blob] : BlobsIn("/golden")) {
    SCOPED_TRACE(name);
    const Decoded decoded = DecodeSmall(blob, KDC_DECODER_MEMORY_BYTES);
    if (IsArithmetic(name)) {
      EXPECT_EQ(decoded.status, KDC_NOT_SUPPORTED);
      continue;
    }
    const Decoded expected = DecodeLarge(blob);
    ASSERT_EQ(expected.status, KDC_OK);
    EXPECT_TRUE(decoded == expected) << decoded.status;
    EXPECT_TRUE(DecodeLines(blob) == expected);
    ++num_decoded;
  }
  EXPECT_GE(num_decoded, 37u);
}

TEST(SmallDecoder, TellsWhatTheLargeOneTells) {
  for (const auto& [name, blob] : BlobsIn("/golden")) {
    if (IsArithmetic(name)) continue;
    SCOPED_TRACE(name);
    Memory memory(KDC_DECODER_MEMORY_BYTES);
    kdc_decoder* decoder = nullptr;
    ASSERT_EQ(kdc_decoder_open(blob.data(), blob.size(), memory.data(),
                               memory.size(), &decoder),
              KDC_OK);
    kdc_blob_info info;
    ASSERT_EQ(kdc_decoder_get_info(decoder, &info), KDC_OK);
    kdc_blob_info expected = InfoOf(blob);
    expected.header_bytes = expected.codebook_bytes = 0;
    expected.table_bytes = expected.index_bytes = 0;
    expected.gap_bytes = expected.scale_bytes = 0;
    EXPECT_EQ(std::memcmp(&info, &expected, sizeof(info)), 0);
  }
}

TEST(SmallDecoder, RefusesEveryGoldenErrorWithItsStatus) {
  size_t num_refused = 0;
  for (const auto& [name, blob] : BlobsIn("/golden_errors")) {
    SCOPED_TRACE(name);
    const Decoded expected = DecodeLarge(blob);
    ASSERT_NE(expected.status, KDC_OK);
    const int32_t status = DecodeLines(blob).status;
    if (IsArithmetic(name) && status == KDC_NOT_SUPPORTED) continue;
    EXPECT_EQ(status, expected.status);
    ++num_refused;
  }
  EXPECT_GE(num_refused, 50u);
}

TEST(SmallDecoder, AgreesOnEveryBitThatIsFlipped) {
  size_t num_refused = 0, num_decoded = 0;
  for (const auto& [name, golden] : BlobsIn("/golden")) {
    if (IsArithmetic(name)) continue;
    SCOPED_TRACE(name);
    // Headers and tables stand in front; of the streams a part is tried.
    const size_t size = golden.size() - kChecksumBytes;
    for (size_t i = kMagicBytes; i < size; i += 1 + i / 24) {
      for (int bit = 0; bit < 8; ++bit) {
        Bytes blob = golden;
        blob[i] = static_cast<uint8_t>(blob[i] ^ 1 << bit);
        Seal(&blob);
        const Decoded decoded = DecodeLines(blob, 1 << 14);
        if (decoded.status == KDC_NOT_SUPPORTED ||
            decoded.status == KDC_TOO_LARGE ||
            decoded.status == KDC_OUT_OF_MEMORY) {
          continue;
        }
        const Decoded expected = DecodeLarge(blob);
        // What is wrong may be found in another order.
        EXPECT_EQ(decoded.status == KDC_OK, expected.status == KDC_OK)
            << i << " " << bit << " " << decoded.status << " "
            << expected.status;
        if (expected.status == KDC_OK) {
          EXPECT_TRUE(decoded == expected) << i << " " << bit;
        }
        ++(expected.status == KDC_OK ? num_decoded : num_refused);
      }
    }
  }
  EXPECT_GT(num_refused, 1000u);
  EXPECT_GT(num_decoded, 1000u);
}

TEST(SmallDecoder, RefusesEveryCut) {
  for (const auto& [name, golden] : BlobsIn("/golden")) {
    if (IsArithmetic(name)) continue;
    SCOPED_TRACE(name);
    for (size_t size = 0; size < golden.size(); size += 1 + size / 32) {
      Bytes blob(golden.begin(), golden.begin() + static_cast<long>(size));
      EXPECT_NE(DecodeLines(blob).status, KDC_OK);
      if (size < kMagicBytes + kChecksumBytes) continue;
      Seal(&blob);
      const Decoded decoded = DecodeLines(blob);
      EXPECT_EQ(decoded.status == KDC_OK, DecodeLarge(blob).status == KDC_OK);
    }
  }
}

TEST(SmallDecoder, NeedsNoMoreThanItSays) {
  for (const auto& [name, blob] : BlobsIn("/golden")) {
    if (IsArithmetic(name)) continue;
    SCOPED_TRACE(name);
    const Decoded expected = DecodeLarge(blob);
    size_t needed = 0;
    for (size_t size = 0; size <= KDC_DECODER_MEMORY_BYTES; size += 331) {
      const Decoded decoded = DecodeSmall(blob, size);
      if (decoded.status == KDC_OUT_OF_MEMORY) {
        EXPECT_EQ(needed, 0u);
        continue;
      }
      if (needed == 0) needed = size;
      EXPECT_TRUE(decoded == expected);
    }
    EXPECT_GT(needed, 0u);
  }
}

TEST(SmallDecoder, DecodesTensorsOfSeveralStreams) {
  const std::vector<int64_t> shape = {300, 400};
  for (const std::vector<float>& weights :
       {SparseValues(300 * 400, 0.25, 200), SparseValues(300 * 400, 1, 9),
        SparseValues(300 * 400, 0.25, 0), FullColumns(300, 400)}) {
    const Bytes blob = EncodeFloats(weights, shape);
    ASSERT_GT(InfoOf(blob).num_streams, 1);
    EXPECT_TRUE(DecodeLines(blob) == DecodeLarge(blob));
  }
}

TEST(SmallDecoder, RefusesWrongArguments) {
  const Bytes blob = EncodeFloats({0, 1, 2, 0, 0, 1}, {2, 3});
  Memory memory(KDC_DECODER_MEMORY_BYTES);
  kdc_decoder* decoder = nullptr;
  EXPECT_EQ(kdc_decoder_open(blob.data(), blob.size(), memory.data(),
                             memory.size(), nullptr),
            KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_decoder_open(nullptr, blob.size(), memory.data(), memory.size(),
                             &decoder),
            KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_decoder_open(blob.data(), blob.size(), nullptr, 4096, &decoder),
            KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_decoder_num_lines(nullptr), 0u);
  EXPECT_EQ(kdc_decoder_line_size(nullptr), 0u);
  kdc_blob_info info;
  EXPECT_EQ(kdc_decoder_get_info(nullptr, &info), KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_decoder_next_line(nullptr, &info, 12), KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_decoder_decode(nullptr, &info, 24), KDC_INVALID_ARGUMENT);

  ASSERT_EQ(kdc_decoder_open(blob.data(), blob.size(), memory.data(),
                             memory.size(), &decoder),
            KDC_OK);
  float values[6];
  EXPECT_EQ(kdc_decoder_get_info(decoder, nullptr), KDC_INVALID_ARGUMENT);
  const size_t line_size = kdc_decoder_line_size(decoder);
  EXPECT_EQ(kdc_decoder_next_line(decoder, nullptr, line_size),
            KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_decoder_next_line(decoder, values, line_size - 1),
            KDC_WRONG_BUFFER_SIZE);
  EXPECT_EQ(kdc_decoder_decode(decoder, values, 20), KDC_WRONG_BUFFER_SIZE);
  EXPECT_EQ(kdc_decoder_decode(decoder, nullptr, 24), KDC_INVALID_ARGUMENT);
  ASSERT_EQ(kdc_decoder_next_line(decoder, values, line_size), KDC_OK);
  EXPECT_EQ(kdc_decoder_decode(decoder, values, 24), KDC_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace keras_dc
