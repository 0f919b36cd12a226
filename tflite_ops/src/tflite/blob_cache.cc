#include "tflite/blob_cache.h"

#include <array>
#include <cstring>
#include <iterator>
#include <random>

namespace keras_dc {
namespace {

uint64_t RotateLeft(uint64_t x, int bits) {
  return x << bits | x >> (64 - bits);
}

// SipHash-1-3 (Aumasson and Bernstein 2012), word by word.
class SipHash {
 public:
  explicit SipHash(const std::array<uint64_t, 2>& secret)
      : v0_(secret[0] ^ 0x736f6d6570736575),
        v1_(secret[1] ^ 0x646f72616e646f6d),
        v2_(secret[0] ^ 0x6c7967656e657261),
        v3_(secret[1] ^ 0x7465646279746573) {}

  void Add(uint64_t word) {
    v3_ ^= word;
    Round();
    v0_ ^= word;
  }

  uint64_t Finish() {
    v2_ ^= 0xff;
    for (int i = 0; i < 3; ++i) Round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void Round() {
    v0_ += v1_;
    v1_ = RotateLeft(v1_, 13) ^ v0_;
    v0_ = RotateLeft(v0_, 32);
    v2_ += v3_;
    v3_ = RotateLeft(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = RotateLeft(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = RotateLeft(v1_, 17) ^ v2_;
    v2_ = RotateLeft(v2_, 32);
  }

  uint64_t v0_, v1_, v2_, v3_;
};

const std::array<uint64_t, 2>& Secret() {
  static const std::array<uint64_t, 2> secret = [] {
    std::random_device random;
    std::array<uint64_t, 2> drawn;
    for (uint64_t& word : drawn) {
      word = static_cast<uint64_t>(random()) << 32 | random();
    }
    return drawn;
  }();
  return secret;
}

// Of all caches. Never deleted: a cache may outlive other static objects.
struct SharedEntries {
  std::mutex mutex;
  std::multimap<BlobCache::Key, std::weak_ptr<const void>> entries;
};

SharedEntries& Shared() {
  static auto* shared = new SharedEntries;
  return *shared;
}

// To be called with the mutex of `shared` held.
std::shared_ptr<const void> FindShared(const BlobCache::Key& key,
                                       const BlobCache::Fits& fits,
                                       const SharedEntries& shared) {
  const auto range = shared.entries.equal_range(key);
  for (auto entry = range.first; entry != range.second; ++entry) {
    std::shared_ptr<const void> value = entry->second.lock();
    if (value != nullptr && fits(value.get())) return value;
  }
  return nullptr;
}

}  // namespace

BlobKey KeyOf(const Blob& blob) {
  // Several hashes side by side, since each must wait for its word before.
  constexpr size_t kHashes = 4;
  using Words = std::array<uint64_t, kHashes>;
  SipHash whole(Secret());
  std::array<SipHash, kHashes> hashes = {whole, whole, whole, whole};
  const auto add = [&hashes](const Words& words) {
    for (size_t k = 0; k < kHashes; ++k) hashes[k].Add(words[k]);
  };
  size_t i = 0;
  for (; i + sizeof(Words) <= blob.size; i += sizeof(Words)) {
    Words words;
    std::memcpy(words.data(), blob.data + i, sizeof(words));
    add(words);
  }
  if (i < blob.size) {
    // The zeros behind it are told by the size.
    Words words = {};
    std::memcpy(words.data(), blob.data + i, blob.size - i);
    add(words);
  }
  for (SipHash& hash : hashes) whole.Add(hash.Finish());
  return {blob.size, whole.Finish()};
}

std::shared_ptr<const void> BlobCache::FindIf(const Key& key,
                                              const Fits& fits) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto range = entries_.equal_range(key);
  for (auto entry = range.first; entry != range.second; ++entry) {
    if (fits(entry->second.get())) return entry->second;
  }
  std::shared_ptr<const void> found;
  {
    SharedEntries& shared = Shared();
    const std::lock_guard<std::mutex> shared_lock(shared.mutex);
    found = FindShared(key, fits, shared);
  }
  return found == nullptr ? nullptr : Hold(key, std::move(found));
}

std::shared_ptr<const void> BlobCache::Insert(const Key& key,
                                              std::shared_ptr<const void> value,
                                              const Fits& fits) {
  const std::lock_guard<std::mutex> lock(mutex_);
  {
    SharedEntries& shared = Shared();
    const std::lock_guard<std::mutex> shared_lock(shared.mutex);
    std::shared_ptr<const void> found = FindShared(key, fits, shared);
    if (found != nullptr) {
      value = std::move(found);
    } else {
      for (auto entry = shared.entries.begin();
           entry != shared.entries.end();) {
        entry = entry->second.expired() ? shared.entries.erase(entry)
                                        : std::next(entry);
      }
      shared.entries.emplace(key, value);
    }
  }
  return Hold(key, std::move(value));
}

void BlobCache::DropUnused() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    entry = entry->second.use_count() == 1 ? entries_.erase(entry)
                                           : std::next(entry);
  }
}

size_t BlobCache::CountShared() {
  SharedEntries& shared = Shared();
  const std::lock_guard<std::mutex> lock(shared.mutex);
  size_t count = 0;
  for (const auto& [key, value] : shared.entries) count += !value.expired();
  return count;
}

std::shared_ptr<const void> BlobCache::Hold(const Key& key,
                                            std::shared_ptr<const void> value) {
  const void* data = value.get();
  // With a count of its own, which tells who took it from this cache.
  std::shared_ptr<const void> held(data,
                                   [owner = std::move(value)](const void*) {});
  entries_.emplace(key, held);
  return held;
}

}  // namespace keras_dc
