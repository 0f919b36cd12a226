// Decoded weights by blob. A runtime that builds its nodes anew, as it does
// after resize_tensor_input, finds them ready; and so does every other
// interpreter of the process that reads the same blob.
#ifndef KERAS_DC_SRC_TFLITE_BLOB_CACHE_H_
#define KERAS_DC_SRC_TFLITE_BLOB_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
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
// lie where a closed one lay, and two interpreters of one file read it at two
// places.
using BlobKey = std::pair<size_t, uint64_t>;

// The hash is keyed by a secret of the process: nobody can make a model whose
// blob passes for that of another one.
BlobKey KeyOf(const Blob& blob);

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

// Holds values of any type, and several of one type, for a blob. What a cache
// lacks it takes from any other cache of the process that holds it. Values are
// never written to once they are in a cache. All functions may be called from
// several threads at once: interpreters in different threads may share a
// delegate.
class BlobCache {
 public:
  using Key = std::pair<BlobKey, std::type_index>;
  using Fits = std::function<bool(const void* value)>;

  // The T that is held for the blob and satisfies `fits`; null if there is
  // none.
  template <typename T, typename FitsT>
  std::shared_ptr<const T> FindIf(const BlobKey& key, FitsT fits) {
    return std::static_pointer_cast<const T>(
        FindIf(Key(key, typeid(T)), [&fits](const void* value) {
          return fits(*static_cast<const T*>(value));
        }));
  }

  template <typename T>
  std::shared_ptr<const T> Find(const BlobKey& key) {
    return FindIf<T>(key, [](const T&) { return true; });
  }

  // Holds a value that FindIf did not find. Returns it, or one that satisfies
  // `fits` and that another thread has inserted meanwhile.
  template <typename T, typename FitsT>
  std::shared_ptr<const T> Insert(const BlobKey& key,
                                  std::shared_ptr<const T> value, FitsT fits) {
    return std::static_pointer_cast<const T>(Insert(
        Key(key, typeid(T)), std::move(value), [&fits](const void* held) {
          return fits(*static_cast<const T*>(held));
        }));
  }

  // Forgets what nobody holds that took it from this cache.
  void DropUnused();

  // How many values the caches of the process hold together.
  static size_t CountShared();

 private:
  std::shared_ptr<const void> FindIf(const Key& key, const Fits& fits);
  std::shared_ptr<const void> Insert(const Key& key,
                                     std::shared_ptr<const void> value,
                                     const Fits& fits);
  // To be called with the mutex held.
  std::shared_ptr<const void> Hold(const Key& key,
                                   std::shared_ptr<const void> value);

  std::mutex mutex_;
  std::multimap<Key, std::shared_ptr<const void>> entries_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_BLOB_CACHE_H_
