// What followed each context: a hashed table of bit histories (PACK.md, 4.3).
#ifndef KERAS_DC_SRC_BYTES_NIBBLE_TABLE_H_
#define KERAS_DC_SRC_BYTES_NIBBLE_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace keras_dc {

// A bit history counts zeros and ones, and remembers the last bit. There are at
// most 255 that differ from 0, the empty one.
struct BitHistories {
  std::array<std::array<uint8_t, 2>, 256> next{};
  std::array<uint8_t, 256> zeros{};
  std::array<uint8_t, 256> ones{};
  int count = 0;
};

const BitHistories& Histories();

// Buckets of 16 bytes: a tag, and the histories of the 15 places in a nibble.
class NibbleTable {
 public:
  explicit NibbleTable(int log_buckets)
      : buckets_(size_t{16} << log_buckets, 0),
        mask_((size_t{1} << log_buckets) - 1) {}

  void Prefetch(uint32_t hash) const {
#if defined(__GNUC__)
    __builtin_prefetch(&buckets_[16 * (hash & mask_)]);
#else
    (void)hash;
#endif
  }

  // The bucket of a context, new if there was none; a pointer to its tag.
  uint8_t* Find(uint32_t hash);

 private:
  std::vector<uint8_t> buckets_;
  size_t mask_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_NIBBLE_TABLE_H_
