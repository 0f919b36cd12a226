// Decoded weights by blob. A runtime that builds its nodes anew, as it does
// after resize_tensor_input, finds them ready.
#ifndef KERAS_DC_SRC_TFLITE_BLOB_CACHE_H_
#define KERAS_DC_SRC_TFLITE_BLOB_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <typeindex>
#include <utility>

namespace keras_dc {

// The bytes of a blob, in the model.
struct Blob {
  const uint8_t* data = nullptr;
  size_t size = 0;

  bool operator==(const Blob& other) const {
    return data == other.data && size == other.size;
  }
};

// Size and a 64-bit hash of the bytes. An address is no key: a new model may
// lie where a closed one lay.
using BlobKey = std::pair<size_t, uint64_t>;

inline BlobKey KeyOf(const Blob& blob) {
  constexpr uint64_t kPrime = 0x9E3779B97F4A7C15u;
  // Several hashes side by side, since a multiplication must wait for the one
  // before.
  constexpr size_t kHashes = 4;
  constexpr size_t kStep = kHashes * sizeof(uint64_t);
  uint64_t hashes[kHashes];
  for (size_t k = 0; k < kHashes; ++k) hashes[k] = blob.size + k;
  const auto mix = [](uint64_t word, uint64_t* hash) {
    *hash = (*hash ^ word) * kPrime;
    *hash ^= *hash >> 29;
  };
  size_t i = 0;
  for (; i + kStep <= blob.size; i += kStep) {
    uint64_t words[kHashes];
    std::memcpy(words, blob.data + i, kStep);
    for (size_t k = 0; k < kHashes; ++k) mix(words[k], &hashes[k]);
  }
  for (; i < blob.size; ++i) mix(blob.data[i], &hashes[0]);
  for (size_t k = 1; k < kHashes; ++k) mix(hashes[k], &hashes[0]);
  return {blob.size, hashes[0]};
}

// Remembers the key of the last blob: a key takes a pass over all bytes.
class KeyMemo {
 public:
  const BlobKey& Of(const Blob& blob) {
    if (!(blob == blob_)) {
      key_ = KeyOf(blob);
      blob_ = blob;
    }
    return key_;
  }

 private:
  Blob blob_;
  BlobKey key_;
};

// Holds values of any type, and several of one type, for a blob. All functions
// may be called from several threads at once: interpreters in different threads
// may share a delegate.
class BlobCache {
 public:
  // The T that is held for the blob and satisfies `fits`; null if there is
  // none.
  template <typename T, typename Fits>
  std::shared_ptr<const T> FindIf(const BlobKey& key, Fits fits) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto range = entries_.equal_range({key, typeid(T)});
    for (auto entry = range.first; entry != range.second; ++entry) {
      auto value = std::static_pointer_cast<const T>(entry->second);
      if (fits(*value)) return value;
    }
    return nullptr;
  }

  template <typename T>
  std::shared_ptr<const T> Find(const BlobKey& key) {
    return FindIf<T>(key, [](const T&) { return true; });
  }

  template <typename T>
  void Insert(const BlobKey& key, std::shared_ptr<const T> value) {
    const std::lock_guard<std::mutex> lock(mutex_);
    entries_.emplace(Key(key, typeid(T)), std::move(value));
  }

  // Forgets what nobody else holds.
  void DropUnused() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      entry = entry->second.use_count() == 1 ? entries_.erase(entry)
                                             : std::next(entry);
    }
  }

 private:
  using Key = std::pair<BlobKey, std::type_index>;

  std::mutex mutex_;
  std::multimap<Key, std::shared_ptr<const void>> entries_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_BLOB_CACHE_H_
