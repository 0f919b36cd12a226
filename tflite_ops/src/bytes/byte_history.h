// The bytes so far, and where the last ones stood before (PACK.md, 4.4).
#ifndef KERAS_DC_SRC_BYTES_BYTE_HISTORY_H_
#define KERAS_DC_SRC_BYTES_BYTE_HISTORY_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace keras_dc {

// The last bytes; older ones than fit are forgotten.
class ByteHistory {
 public:
  explicit ByteHistory(int log_size)
      : bytes_(size_t{1} << log_size, 0), mask_((size_t{1} << log_size) - 1) {}

  void Append(uint8_t byte) { bytes_[size_++ & mask_] = byte; }
  // The byte that was number `place` of all; 0 before the first.
  uint8_t At(size_t place) const { return bytes_[place & mask_]; }
  // The byte `distance` before the next one; 0 before the first.
  uint8_t Back(size_t distance) const {
    return bytes_[(size_ - distance) & mask_];
  }
  // Bytes `back` to `back - 3` before the next one, as a number.
  uint32_t WordBack(size_t back) const {
    return static_cast<uint32_t>(Back(back)) |
           static_cast<uint32_t>(Back(back - 1)) << 8 |
           static_cast<uint32_t>(Back(back - 2)) << 16 |
           static_cast<uint32_t>(Back(back - 3)) << 24;
  }
  uint32_t WordAt(size_t place) const { return WordBack(size_ - place); }
  size_t size() const { return size_; }
  bool Holds(size_t place) const {
    return place < size_ && size_ - place <= mask_;
  }

 private:
  std::vector<uint8_t> bytes_;
  size_t mask_;
  size_t size_ = 0;
};

// Finds the last place that the history's last `length` bytes had before.
class MatchFinder {
 public:
  static constexpr uint32_t kMaxLength = 63;

  MatchFinder(size_t length, int log_size)
      : length_(length),
        places_(size_t{1} << log_size, 0),
        shift_(32 - log_size) {}

  // To be called behind each byte.
  void Update(const ByteHistory& history) {
    const size_t size = history.size();
    if (matched_ > 0 && history.At(place_) == history.Back(1)) {
      ++place_;
      if (matched_ < kMaxLength) ++matched_;
    } else {
      matched_ = 0;
    }
    if (size < length_) return;
    uint32_t hash = 0;
    for (size_t i = length_; i > 0; --i) {
      hash = (hash + history.Back(i) + 1) * 0x2f0b4c47;
    }
    uint32_t& last = places_[hash >> shift_];
    if (matched_ == 0 && last > 0) {
      place_ = last;
      while (matched_ < kMaxLength && matched_ < place_ &&
             history.Holds(place_ - matched_ - 1) &&
             history.At(place_ - matched_ - 1) == history.Back(matched_ + 1)) {
        ++matched_;
      }
      if (matched_ < length_) matched_ = 0;
    }
    last = static_cast<uint32_t>(size);
  }

  // How many bytes match, at most kMaxLength, and the byte that followed.
  uint32_t matched() const { return matched_; }
  uint8_t Expected(const ByteHistory& history) const {
    return history.At(place_);
  }

 private:
  size_t length_;
  std::vector<uint32_t> places_;
  int shift_;
  uint32_t matched_ = 0;
  size_t place_ = 0;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_BYTE_HISTORY_H_
