// What caches hold, and what they take from one another.
#include "tflite/blob_cache.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace keras_dc {
namespace {

BlobKey KeyOfBytes(const std::vector<uint8_t>& bytes) {
  return KeyOf({bytes.data(), bytes.size()});
}

bool Any(const std::string&) { return true; }

std::shared_ptr<const std::string> Make(const char* text) {
  return std::make_shared<std::string>(text);
}

TEST(BlobKey, IsThatOfTheBytesWhereverTheyLie) {
  for (const size_t size : {0, 1, 7, 8, 31, 32, 33, 64, 100}) {
    std::vector<uint8_t> bytes(size + 1, 7);
    const std::vector<uint8_t> copy(bytes.begin(), bytes.end() - 1);
    EXPECT_EQ(KeyOf({bytes.data(), size}), KeyOfBytes(copy));
    // One byte more or another one, at any place, makes another key.
    std::set<BlobKey> keys = {KeyOfBytes(copy), KeyOfBytes(bytes)};
    for (size_t i = 0; i < size; ++i) {
      bytes[i] ^= 0x80;
      keys.insert(KeyOf({bytes.data(), size}));
      bytes[i] ^= 0x80;
    }
    EXPECT_EQ(keys.size(), size + 2);
  }
}

TEST(BlobKey, OfWordsInAnotherOrderIsAnotherOne) {
  std::vector<uint8_t> bytes(64);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i);
  std::set<BlobKey> keys = {KeyOfBytes(bytes)};
  for (size_t i = 8; i < bytes.size(); i += 8) {
    std::vector<uint8_t> swapped = bytes;
    std::swap_ranges(swapped.begin(), swapped.begin() + 8,
                     swapped.begin() + static_cast<long>(i));
    keys.insert(KeyOfBytes(swapped));
  }
  EXPECT_EQ(keys.size(), 8u);
}

TEST(BlobCache, TakesFromAnotherCacheWhatFits) {
  const BlobKey key = KeyOfBytes({1});
  BlobCache first, second;
  EXPECT_EQ(first.Find<std::string>(key), nullptr);
  const auto held = first.Insert<std::string>(key, Make("a"), Any);
  EXPECT_EQ(second.Find<std::string>(key).get(), held.get());
  EXPECT_EQ(second.Find<std::string>(KeyOfBytes({2})), nullptr);
  EXPECT_EQ(second.Find<int>(key), nullptr);
  const auto is_b = [](const std::string& text) { return text == "b"; };
  EXPECT_EQ(second.FindIf<std::string>(key, is_b), nullptr);
  // Another value of the same blob, which nobody else has.
  const auto other = second.Insert<std::string>(key, Make("b"), is_b);
  EXPECT_EQ(*other, "b");
  EXPECT_EQ(first.FindIf<std::string>(key, is_b).get(), other.get());
  EXPECT_EQ(*held, "a");
}

TEST(BlobCache, InsertGivesWhatAnotherHasInsertedMeanwhile) {
  const BlobKey key = KeyOfBytes({3});
  BlobCache first, second;
  const auto held = first.Insert<std::string>(key, Make("a"), Any);
  EXPECT_EQ(second.Insert<std::string>(key, Make("a"), Any).get(), held.get());
}

TEST(BlobCache, AValueLivesAsLongAsOneHoldsIt) {
  const BlobKey key = KeyOfBytes({4});
  const size_t before = BlobCache::CountShared();
  auto second = std::make_unique<BlobCache>();
  std::shared_ptr<const std::string> taken;
  {
    BlobCache first;
    first.Insert<std::string>(key, Make("a"), Any);
    taken = second->Find<std::string>(key);
    EXPECT_EQ(BlobCache::CountShared(), before + 1);
  }
  EXPECT_EQ(*taken, "a");
  second->DropUnused();
  EXPECT_NE(second->Find<std::string>(key), nullptr);
  second = nullptr;
  EXPECT_EQ(*taken, "a");
  taken = nullptr;
  EXPECT_EQ(BlobCache::CountShared(), before);
}

TEST(BlobCache, DropsWhatItsOwnUsersLetGo) {
  const BlobKey key = KeyOfBytes({5});
  const size_t before = BlobCache::CountShared();
  BlobCache first, second;
  auto used = first.Insert<std::string>(key, Make("a"), Any);
  // Nobody who asked the second one uses it, though the first one holds it.
  second.Find<std::string>(key);
  second.DropUnused();
  first.DropUnused();
  EXPECT_EQ(BlobCache::CountShared(), before + 1);
  used = nullptr;
  first.DropUnused();
  EXPECT_EQ(BlobCache::CountShared(), before);
}

}  // namespace
}  // namespace keras_dc
