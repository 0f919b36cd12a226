// Constants of the packed file. PACK.md owns its bytes; its sections are cited
// here.
#ifndef KERAS_DC_SRC_COMMON_PACK_FORMAT_H_
#define KERAS_DC_SRC_COMMON_PACK_FORMAT_H_

#include <cstddef>
#include <cstdint>

namespace keras_dc {

// PACK.md, 2: the header.
inline constexpr uint8_t kPackMagic[3] = {'K', 'D', 'P'};
inline constexpr uint8_t kPackVersion = 1;
inline constexpr uint8_t kPackBaseBit = 0x01;
inline constexpr uint8_t kPackDictionaryBit = 0x02;
inline constexpr uint8_t kPackFlags = 0x03;

// PACK.md, 3: what a segment is.
enum class SegmentKind : uint8_t {
  kBytes = 0,   // bytes by the byte model
  kStored = 1,  // bytes as they are
  kTensor = 2,  // a tensor, or the Huffman-coded blob of one
  kCopy = 3,    // bytes of the base
  kOrigin = 4,  // no bytes: words begin at this place
};
inline constexpr uint32_t kNumSegmentKinds = 5;
inline constexpr uint32_t kSegmentKindBits = 3;

// PACK.md, 3.4: where the values of a tensor come from.
enum class TensorSource : uint8_t {
  kBlob = 0,        // a blob
  kDifference = 1,  // a blob, and a tensor of the base to be added
  kBase = 2,        // a tensor of the base, and what differs
};
inline constexpr uint32_t kNumTensorSources = 3;

// PACK.md, 3.6: the most values beside zero of a tensor that is coded beside
// one of the base.
inline constexpr size_t kMostPaletteValues = 256;

// PACK.md, 3.5: a Huffman-coded blob has at most this many weights for each
// byte that is left of the file.
inline constexpr uint64_t kMostWeightsPerByte = 1024;

// Adaptive bits of the control stream count up to this.
inline constexpr int kControlLimit = 30;

// PACK.md, 2: what is larger is refused.
// Nor does the byte model code more than this for a file of so many bytes: time
// and memory are in proportion to the file.
constexpr uint64_t MostModelledBytes(uint64_t original_size) {
  return 4 * original_size + 4096;
}
inline constexpr uint64_t kMostOriginalBytes = uint64_t{1} << 48;

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_PACK_FORMAT_H_
