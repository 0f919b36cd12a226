// Bits in bytes, least significant first, and integers in bytes (FORMAT.md, 1).
#ifndef KERAS_DC_SRC_COMMON_BIT_STREAM_H_
#define KERAS_DC_SRC_COMMON_BIT_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace keras_dc {

// Loads byte by byte give the same number on every machine, and compilers turn
// them into one instruction. The functions are static because some files are
// compiled for newer instructions: the linker must not use those copies
// elsewhere.
static inline uint32_t LoadU32(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0]) |
         static_cast<uint32_t>(bytes[1]) << 8 |
         static_cast<uint32_t>(bytes[2]) << 16 |
         static_cast<uint32_t>(bytes[3]) << 24;
}

static inline uint64_t LoadU64(const uint8_t* bytes) {
  return static_cast<uint64_t>(LoadU32(bytes)) |
         static_cast<uint64_t>(LoadU32(bytes + 4)) << 32;
}

static inline void StoreU32(uint32_t value, uint8_t* bytes) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(value >> (8 * i));
#else
  // From four shifts GCC does not make one store.
  std::memcpy(bytes, &value, sizeof(value));
#endif
}

// Zero bits above the highest set bit of `number`, which is not 0.
static inline size_t LeadingZeros(uint64_t number) {
#if defined(__GNUC__)
  return static_cast<size_t>(__builtin_clzll(number));
#else
  size_t count = 0;
  while ((number << count) >> 63 == 0) ++count;
  return count;
#endif
}

// Appends bits to a byte vector. Each byte is written as soon as it is full.
class BitWriter {
 public:
  explicit BitWriter(std::vector<uint8_t>* bytes) : bytes_(bytes) {}

  // Appends the low `count` bits of `bits`, `count` from 0 to 32; the bits
  // above must be zero.
  void Write(uint32_t bits, int count) {
    pending_ |= static_cast<uint64_t>(bits) << pending_count_;
    pending_count_ += count;
    while (pending_count_ >= 8) {
      bytes_->push_back(static_cast<uint8_t>(pending_));
      pending_ >>= 8;
      pending_count_ -= 8;
    }
  }

  // Fills the last byte with zero bits.
  void Flush() {
    if (pending_count_ > 0) bytes_->push_back(static_cast<uint8_t>(pending_));
    pending_ = 0;
    pending_count_ = 0;
  }

 private:
  std::vector<uint8_t>* bytes_;
  uint64_t pending_ = 0;
  int pending_count_ = 0;
};

// A run of bytes inside a blob.
struct ByteRange {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
};

// Reads bits from a range of bytes. Past the end it reads zeros; overrun() then
// is true.
class BitReader {
 public:
  BitReader(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {}

  // The next `count` bits, at most 32; the position stays.
  uint32_t Peek(int count) const {
    uint64_t word = 0;
    const size_t first = position_ >> 3;
    for (size_t i = 0; i < 5 && first + i < size_; ++i) {
      word |= static_cast<uint64_t>(bytes_[first + i]) << (8 * i);
    }
    word >>= position_ & 7;
    return static_cast<uint32_t>(word & ((uint64_t{1} << count) - 1));
  }

  void Skip(int count) { position_ += static_cast<size_t>(count); }

  uint32_t Read(int count) {
    const uint32_t bits = Peek(count);
    Skip(count);
    return bits;
  }

  void Seek(size_t bit_position) { position_ = bit_position; }

  bool overrun() const { return position_ > 8 * size_; }

  size_t position() const { return position_; }

  // Bytes that hold the bits read so far.
  size_t bytes_used() const { return (position_ + 7) >> 3; }

  // True if the position is in the last byte and the bits behind it are zero.
  bool AtCleanEnd() const {
    if (overrun() || bytes_used() != size_) return false;
    const int left = static_cast<int>(8 * size_ - position_);
    return Peek(left) == 0;
  }

 private:
  const uint8_t* bytes_;
  size_t size_;
  size_t position_ = 0;
};

// Appends `value` in the variable-length form of FORMAT.md, 1.
inline void WriteVarint(uint64_t value, std::vector<uint8_t>* bytes) {
  while (value >= 0x80) {
    bytes->push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  bytes->push_back(static_cast<uint8_t>(value));
}

// Reads bytes up to an end. After a read has failed, all further ones fail.
class ByteReader {
 public:
  ByteReader(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {}

  uint8_t ReadByte() {
    if (position_ >= size_) {
      truncated_ = true;
      return 0;
    }
    return bytes_[position_++];
  }

  // A varint of at most five bytes in its shortest form; malformed() is true if
  // there is another one.
  uint64_t ReadVarint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const uint8_t byte = ReadByte();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        if (byte == 0 && shift > 0) malformed_ = true;
        return value;
      }
    }
    malformed_ = true;
    return 0;
  }

  // The next `count` bytes, or null if there are fewer.
  const uint8_t* ReadBytes(size_t count) {
    if (truncated_ || count > size_ - position_) {
      truncated_ = true;
      return nullptr;
    }
    const uint8_t* start = bytes_ + position_;
    position_ += count;
    return start;
  }

  const uint8_t* current() const { return bytes_ + position_; }
  size_t position() const { return position_; }
  size_t remaining() const { return truncated_ ? 0 : size_ - position_; }
  bool truncated() const { return truncated_; }
  bool malformed() const { return malformed_; }

 private:
  const uint8_t* bytes_;
  size_t size_;
  size_t position_ = 0;
  bool truncated_ = false;
  bool malformed_ = false;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_BIT_STREAM_H_
