// Binary arithmetic coding with a range of 64 bits (FORMAT.md, 9.1).
#ifndef KERAS_DC_SRC_COMMON_RANGE_CODER_H_
#define KERAS_DC_SRC_COMMON_RANGE_CODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace keras_dc {

// Below this a range is shifted up by 32 bits.
inline constexpr uint64_t kLeastRange = uint64_t{1} << 32;
inline constexpr int kShiftBits = 32;
inline constexpr size_t kShiftBytes = 4;
inline constexpr size_t kWindowBytes = 8;

// The part of a range that stands for a 1 bit of `probability`/65536.
inline uint64_t OnePart(uint64_t range, int32_t probability) {
  return (range >> 16) * static_cast<uint32_t>(probability);
}

// The 64-bit number that ends with the most zero bytes, the smallest such, in
// [low, low + range). It may wrap around.
inline uint64_t EndingIn(uint64_t low, uint64_t range) {
  if (uint64_t{0} - low < range) return 0;
  for (int shift = 56; shift > 0; shift -= 8) {
    const uint64_t unit = uint64_t{1} << shift;
    const uint64_t rounded = (low + unit - 1) & ~(unit - 1);
    if (rounded - low < range) return rounded;
  }
  return low;
}

// Encoder and decoder code bits in the same way, so that one model serves both:
// `Code` takes the bit, which the decoder ignores, and returns it.
class RangeEncoder {
 public:
  static constexpr bool kIsDecoder = false;

  explicit RangeEncoder(std::vector<uint8_t>* bytes)
      : bytes_(bytes), begin_(bytes->size()) {}

  // `probability` is that of a 1, in units of 1/65536.
  void Encode(int bit, int32_t probability) {
    const uint64_t one_part = OnePart(range_, probability);
    if (bit != 0) {
      range_ = one_part;
    } else {
      Add(one_part);
      range_ -= one_part;
    }
    Normalize();
  }
  int Code(int bit, int32_t probability) {
    Encode(bit, probability);
    return bit;
  }

  // The same, for bits that are seldom 1.
  bool CodeSeldom(bool bit, int32_t probability) {
    Encode(bit ? 1 : 0, probability);
    return bit;
  }

  // `count` bits, at most 16, whose numbers are equally likely.
  uint32_t CodeEqual(uint32_t number, int count) {
    range_ >>= count;
    Add(range_ * number);
    Normalize();
    return number;
  }

  // Writes the fewest bytes that, followed by zeros, make a number in the
  // range.
  void Finish() {
    const uint64_t ending = EndingIn(low_, range_);
    if (ending < low_) Carry();
    for (size_t i = 0; i < kWindowBytes; ++i) {
      bytes_->push_back(static_cast<uint8_t>(ending >> (56 - 8 * i)));
    }
    while (bytes_->size() > begin_ && bytes_->back() == 0) bytes_->pop_back();
  }

 private:
  void Add(uint64_t part) {
    low_ += part;
    if (low_ < part) Carry();
  }

  void Carry() {
    size_t i = bytes_->size();
    while (++(*bytes_)[--i] == 0) {
    }
  }

  void Normalize() {
    if (range_ >= kLeastRange) return;
    for (size_t i = 0; i < kShiftBytes; ++i) {
      bytes_->push_back(static_cast<uint8_t>(low_ >> (56 - 8 * i)));
    }
    low_ <<= kShiftBits;
    range_ <<= kShiftBits;
  }

  std::vector<uint8_t>* bytes_;
  size_t begin_;
  uint64_t low_ = 0;
  uint64_t range_ = ~uint64_t{0};
};

// Past the end it reads zeros.
class RangeDecoder {
 public:
  static constexpr bool kIsDecoder = true;

  RangeDecoder(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {
    window_ = Next32() << kShiftBits;
    window_ |= Next32();
    value_ = window_;
  }

  int Decode(int32_t probability) {
    const uint64_t one_part = OnePart(range_, probability);
    const bool is_one = value_ < one_part;
    value_ -= is_one ? 0 : one_part;
    range_ = is_one ? one_part : range_ - one_part;
    Normalize();
    return is_one ? 1 : 0;
  }
  int Code(int /*bit*/, int32_t probability) { return Decode(probability); }

  // A branch that is seldom taken lets a processor go on before it knows the
  // bit.
  bool CodeSeldom(bool /*bit*/, int32_t probability) {
    const uint64_t one_part = OnePart(range_, probability);
    if (value_ >= one_part) {
      value_ -= one_part;
      range_ -= one_part;
      Normalize();
      return false;
    }
    range_ = one_part;
    Normalize();
    return true;
  }

  uint32_t CodeEqual(uint32_t /*number*/, int count) {
    range_ >>= count;
    // Past the last number there is a rest of the range, which no encoder uses.
    const uint64_t number = value_ / range_;
    const uint64_t last = (uint64_t{1} << count) - 1;
    const uint64_t bounded = number < last ? number : last;
    value_ -= bounded * range_;
    Normalize();
    return static_cast<uint32_t>(bounded);
  }

  // True if the stream ends just as the encoder ends it.
  bool AtCleanEnd() const {
    return size_ <= position_ && (size_ == 0 || bytes_[size_ - 1] != 0) &&
           value_ < range_ && window_ == EndingIn(window_ - value_, range_);
  }

 private:
  uint64_t Next32() {
    uint64_t word = 0;
    for (size_t i = 0; i < kShiftBytes; ++i, ++position_) {
      word = word << 8 | (position_ < size_ ? bytes_[position_] : 0);
    }
    return word;
  }

  void Normalize() {
    if (range_ >= kLeastRange) return;
    const uint64_t next = Next32();
    value_ = value_ << kShiftBits | next;
    window_ = window_ << kShiftBits | next;
    range_ <<= kShiftBits;
  }

  const uint8_t* bytes_;
  size_t size_;
  size_t position_ = 0;  // of the next byte; it may lie behind the end
  uint64_t window_ = 0;  // the last 8 bytes read
  uint64_t value_ = 0;   // how far the number lies above the range's beginning
  uint64_t range_ = ~uint64_t{0};
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_RANGE_CODER_H_
