// The C functions of packed files: sizes, refusals, and parts that come in
// order.
#include "keras_dc/pack.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

struct FreeBytes {
  void operator()(kdc_bytes* bytes) const { kdc_free_bytes(bytes); }
};
using BytesPtr = std::unique_ptr<kdc_bytes, FreeBytes>;

std::vector<uint8_t> AsVector(const BytesPtr& bytes) {
  const uint8_t* data = kdc_bytes_data(bytes.get());
  return {data, data + kdc_bytes_size(bytes.get())};
}

kdc_part BytesPart(size_t size) {
  kdc_part part = {};
  part.kind = KDC_PART_BYTES;
  part.size = size;
  return part;
}

const std::string kText = "some text, and some text, and some more text";
const auto* const kBytes = reinterpret_cast<const uint8_t*>(kText.data());

std::vector<uint8_t> Packed(const std::vector<kdc_part>& parts,
                            const uint8_t* base = nullptr,
                            size_t base_size = 0) {
  kdc_bytes* packed = nullptr;
  EXPECT_EQ(kdc_pack(kBytes, kText.size(), base, base_size, parts.data(),
                     parts.size(), nullptr, &packed),
            KDC_OK);
  return AsVector(BytesPtr(packed));
}

TEST(Pack, RoundTrip) {
  const std::vector<uint8_t> packed = Packed({BytesPart(kText.size())});
  size_t size = 0;
  ASSERT_EQ(kdc_unpacked_size(packed.data(), packed.size(), &size), KDC_OK);
  ASSERT_EQ(size, kText.size());
  std::string out(size, '\0');
  ASSERT_EQ(kdc_unpack(packed.data(), packed.size(), nullptr, 0,
                       reinterpret_cast<uint8_t*>(out.data()), size),
            KDC_OK);
  EXPECT_EQ(out, kText);
}

TEST(Pack, PartsThatDoNotFitAreRefused) {
  kdc_part tensor = {};
  tensor.kind = KDC_PART_TENSOR;
  tensor.size = kText.size();
  kdc_part copy = BytesPart(kText.size());
  copy.kind = KDC_PART_COPY;
  kdc_part unknown = BytesPart(kText.size());
  unknown.kind = 7;
  for (const kdc_part& part :
       {BytesPart(3), BytesPart(kText.size() + 1), tensor, copy, unknown}) {
    kdc_bytes* packed = nullptr;
    EXPECT_EQ(
        kdc_pack(kBytes, kText.size(), nullptr, 0, &part, 1, nullptr, &packed),
        KDC_INVALID_ARGUMENT);
    EXPECT_EQ(packed, nullptr);
  }
}

TEST(Unpack, NullsAreRefused) {
  const std::vector<uint8_t> packed = Packed({BytesPart(kText.size())});
  size_t size = 0;
  EXPECT_EQ(kdc_unpacked_size(nullptr, 0, &size), KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_unpacked_size(packed.data(), packed.size(), nullptr),
            KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_pack_get_info(packed.data(), packed.size(), nullptr),
            KDC_INVALID_ARGUMENT);
  EXPECT_EQ(kdc_unpack(packed.data(), packed.size(), nullptr, 0, nullptr,
                       kText.size()),
            KDC_INVALID_ARGUMENT);
  EXPECT_EQ(
      kdc_unpack_to(packed.data(), packed.size(), nullptr, 0, nullptr, nullptr),
      KDC_INVALID_ARGUMENT);
}

TEST(Unpack, AnotherBaseIsRefused) {
  kdc_part copy = BytesPart(kText.size());
  copy.kind = KDC_PART_COPY;
  copy.has_base = 1;
  const std::vector<uint8_t> patch = Packed({copy}, kBytes, kText.size());
  std::string out(kText.size(), '\0');
  auto* const bytes = reinterpret_cast<uint8_t*>(out.data());
  EXPECT_EQ(kdc_unpack(patch.data(), patch.size(), kBytes, kText.size(), bytes,
                       out.size()),
            KDC_OK);
  EXPECT_EQ(out, kText);
  EXPECT_EQ(
      kdc_unpack(patch.data(), patch.size(), nullptr, 0, bytes, out.size()),
      KDC_WRONG_BASE);
  EXPECT_EQ(kdc_unpack(patch.data(), patch.size(), kBytes, kText.size() - 1,
                       bytes, out.size()),
            KDC_WRONG_BASE);
  kdc_pack_info info;
  ASSERT_EQ(kdc_pack_get_info(patch.data(), patch.size(), &info), KDC_OK);
  EXPECT_EQ(info.has_base, 1);
  EXPECT_EQ(info.base_size, kText.size());
}

TEST(Unpack, PartsComeInOrderUntilTheWriterStops) {
  const std::vector<uint8_t> packed =
      Packed({BytesPart(10), BytesPart(kText.size() - 10)});
  std::vector<std::string> parts;
  const auto take = [](void* context, const uint8_t* bytes, size_t size) {
    auto* taken = static_cast<std::vector<std::string>*>(context);
    taken->emplace_back(reinterpret_cast<const char*>(bytes), size);
    return taken->size() == 3 ? 1 : 0;
  };
  ASSERT_EQ(
      kdc_unpack_to(packed.data(), packed.size(), nullptr, 0, take, &parts),
      KDC_OK);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0] + parts[1], kText);
  EXPECT_EQ(
      kdc_unpack_to(packed.data(), packed.size(), nullptr, 0, take, &parts),
      KDC_WRITE_FAILED);
}

}  // namespace
