// Numbers and bytes in the control stream (PACK.md, 3.1 and 3.2). The same code
// writes and reads: a coder for writing passes on the bit that it is given, one
// for reading finds it in the stream.
#ifndef KERAS_DC_SRC_BYTES_CONTROL_CODER_H_
#define KERAS_DC_SRC_BYTES_CONTROL_CODER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bytes/byte_model.h"
#include "bytes/logistic_mixer.h"
#include "common/pack_format.h"
#include "common/range_coder.h"

namespace keras_dc {

class WritingCoder {
 public:
  explicit WritingCoder(std::vector<uint8_t>* bytes) : encoder_(bytes) {}
  int Code(int bit, int32_t probability) {
    encoder_.Encode(bit, probability);
    return bit;
  }
  void Finish() { encoder_.Finish(); }

 private:
  RangeEncoder encoder_;
};

class ReadingCoder {
 public:
  ReadingCoder(const uint8_t* bytes, size_t size) : decoder_(bytes, size) {}
  int Code(int, int32_t probability) { return decoder_.Decode(probability); }
  bool AtCleanEnd() const { return decoder_.AtCleanEnd(); }

 private:
  RangeDecoder decoder_;
};

// Codes a bit by an adaptive probability.
template <typename Coder>
int CodeBit(int bit, AdaptiveProbability* adaptive, Coder* coder,
            int limit = kControlLimit) {
  const int32_t p = adaptive->probability;
  const int coded = coder->Code(bit, p < 32 ? 32 : p > 65504 ? 65504 : p);
  adaptive->Update(coded, limit);
  return coded;
}

// A number below 2^63: how many bits it has, then those bits, the highest ones
// adaptively.
class NumberModel {
 public:
  template <typename Coder>
  uint64_t Code(uint64_t number, Coder* coder) {
    uint32_t length = 0;
    for (uint32_t place = 0; place < 6; ++place) {
      uint32_t wanted = 0;
      while (number >> wanted != 0) ++wanted;
      const uint32_t shift = 5 - place;
      const auto node = (1u << place) | length;
      const int bit = CodeBit(static_cast<int>((wanted >> shift) & 1),
                              &lengths_[node], coder);
      length = length << 1 | static_cast<uint32_t>(bit);
    }
    if (length == 0) return 0;
    uint64_t value = 1;
    for (uint32_t i = 1; i < length; ++i) {
      const int bit = static_cast<int>((number >> (length - 1 - i)) & 1);
      int coded;
      if (i <= kAdaptiveBits) {
        const auto prefix = static_cast<size_t>(value);
        coded = CodeBit(bit, &bits_[length][prefix], coder);
      } else {
        coded = coder->Code(bit, 1 << 15);
      }
      value = value << 1 | static_cast<uint64_t>(coded);
    }
    return value;
  }

 private:
  static constexpr uint32_t kAdaptiveBits = 3;

  std::array<AdaptiveProbability, 64> lengths_{};
  std::array<std::array<AdaptiveProbability, 1u << kAdaptiveBits>, 64> bits_{};
};

// A number of `kBits` bits, adaptively.
template <uint32_t kBits>
class ChoiceModel {
 public:
  template <typename Coder>
  uint32_t Code(uint32_t number, Coder* coder) {
    uint32_t node = 1;
    for (uint32_t i = 0; i < kBits; ++i) {
      const int bit = static_cast<int>((number >> (kBits - 1 - i)) & 1);
      node =
          node << 1 | static_cast<uint32_t>(CodeBit(bit, &bits_[node], coder));
    }
    return node - (1u << kBits);
  }

 private:
  std::array<AdaptiveProbability, 1u << kBits> bits_{};
};

// Codes a byte by the byte model.
template <typename Coder>
uint8_t CodeByte(uint8_t byte, ByteModel* model, Coder* coder) {
  uint32_t coded = 0;
  for (int place = 7; place >= 0; --place) {
    const int bit = coder->Code((byte >> place) & 1, model->Predict());
    model->Update(bit);
    coded = coded << 1 | static_cast<uint32_t>(bit);
  }
  return static_cast<uint8_t>(coded);
}

// All that adapts in the control stream, beside the byte model.
struct ControlModels {
  std::array<ChoiceModel<kSegmentKindBits>, kNumSegmentKinds> kind;
  ChoiceModel<2> byte_kind, source;
  ChoiceModel<3> dtype;
  ChoiceModel<4> rank;
  AdaptiveProbability has_rows, has_base, is_huffman, is_by_index, is_summed,
      is_blob, is_same, is_backward;
  NumberModel byte_count, row_bytes, stored_size, copy_size, payload_size,
      base_step, recipe_size, blob_size, dimension, palette_size;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_CONTROL_CODER_H_
