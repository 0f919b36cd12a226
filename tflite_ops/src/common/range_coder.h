// Binary arithmetic coding with 32-bit ranges (FORMAT.md, 9.1).
#ifndef KERAS_DC_SRC_COMMON_RANGE_CODER_H_
#define KERAS_DC_SRC_COMMON_RANGE_CODER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace keras_dc {

// The range of numbers that begin with the bits coded so far.
class Range {
 public:
  // The last number of the lower part, which stands for a 1 bit.
  uint32_t Split(int32_t probability) const {
    const uint64_t width = high_ - low_;
    return low_ + static_cast<uint32_t>(
                      (width * static_cast<uint32_t>(probability)) >> 16);
  }

  void Narrow(int bit, uint32_t split) {
    if (bit != 0) {
      high_ = split;
    } else {
      low_ = split + 1;
    }
  }

  bool HasByte() const { return ((low_ ^ high_) >> 24) == 0; }
  uint8_t Byte() const { return static_cast<uint8_t>(low_ >> 24); }
  void Shift() {
    low_ <<= 8;
    high_ = high_ << 8 | 0xff;
  }

  // The fewest bytes that, followed by zeros, make a number in the range. They
  // are the highest bytes of what is returned.
  uint32_t Ending(int* num_bytes) const {
    for (*num_bytes = 1; *num_bytes < 4; ++*num_bytes) {
      const uint32_t unit = uint32_t{1} << (32 - 8 * *num_bytes);
      const uint64_t rounded = (uint64_t{low_} + unit - 1) / unit * unit;
      if (rounded <= high_) return static_cast<uint32_t>(rounded);
    }
    return low_;
  }

 private:
  uint32_t low_ = 0;
  uint32_t high_ = 0xffffffff;
};

class RangeEncoder {
 public:
  explicit RangeEncoder(std::vector<uint8_t>* bytes) : bytes_(bytes) {}

  void Encode(int bit, int32_t probability) {
    range_.Narrow(bit, range_.Split(probability));
    while (range_.HasByte()) {
      bytes_->push_back(range_.Byte());
      range_.Shift();
    }
  }

  void Finish() {
    int num_bytes = 0;
    const uint32_t ending = range_.Ending(&num_bytes);
    for (int i = 0; i < num_bytes; ++i) {
      bytes_->push_back(static_cast<uint8_t>(ending >> (24 - 8 * i)));
    }
  }

 private:
  std::vector<uint8_t>* bytes_;
  Range range_;
};

// Past the end it reads zeros.
class RangeDecoder {
 public:
  RangeDecoder(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {
    for (int i = 0; i < 4; ++i) code_ = code_ << 8 | NextByte();
  }

  int Decode(int32_t probability) {
    const uint32_t split = range_.Split(probability);
    const int bit = code_ <= split ? 1 : 0;
    range_.Narrow(bit, split);
    while (range_.HasByte()) {
      range_.Shift();
      ++shifted_;
      code_ = code_ << 8 | NextByte();
    }
    return bit;
  }

  // True if the stream ends just as the encoder ends it.
  bool AtCleanEnd() const {
    int num_bytes = 0;
    const uint32_t ending = range_.Ending(&num_bytes);
    return size_ == shifted_ + static_cast<size_t>(num_bytes) &&
           code_ == ending;
  }

 private:
  uint8_t NextByte() { return position_ < size_ ? bytes_[position_++] : 0; }

  const uint8_t* bytes_;
  size_t size_;
  size_t position_ = 0;
  size_t shifted_ = 0;
  uint32_t code_ = 0;
  Range range_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_RANGE_CODER_H_
