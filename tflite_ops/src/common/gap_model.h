// Codes the gaps between kept weights: the fast way to code positions
// (FORMAT.md, 9.4).
#ifndef KERAS_DC_SRC_COMMON_GAP_MODEL_H_
#define KERAS_DC_SRC_COMMON_GAP_MODEL_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "common/adaptive_model.h"

namespace keras_dc {

// A Golomb code whose divisor follows the mean of the gaps so far, and whose
// bits are adaptive.
class GapModel {
 public:
  // `num_kept` of `num_weights` weights are kept; at least 1.
  GapModel(uint64_t num_weights, uint64_t num_kept)
      : mean_(((num_weights - num_kept) << kMeanBits) / num_kept) {}

  // Codes a gap below 2^32 - 1. A damaged stream may give any number up to
  // that.
  template <typename Coder>
  uint64_t Code(Coder* coder, uint64_t gap) {
    const size_t level = Level();
    const int divisor_bits =
        std::max(0, (static_cast<int>(level) - 1) / 2 - kMeanBits);
    const uint64_t quotient =
        CodeQuotient(coder, &quotients_[level], gap >> divisor_bits);
    const uint64_t rest = CodeRest(coder, &rests_[level], divisor_bits,
                                   gap & ((uint64_t{1} << divisor_bits) - 1));
    const uint64_t coded = quotient > kMost >> divisor_bits
                               ? kMost
                               : (quotient << divisor_bits) + rest;
    mean_ -= mean_ >> kRateBits;
    mean_ += (std::min(coded, kMost) << kMeanBits) >> kRateBits;
    return coded;
  }

 private:
  static constexpr int kMeanBits = 8;
  static constexpr int kRateBits = 5;
  static constexpr uint64_t kMost = 0xffffffff;
  static constexpr size_t kNumLevels = 82;
  static constexpr uint64_t kNumUnary = 16;
  static constexpr int kTreeBits = 3;
  static constexpr int kMostEqualBits = 16;

  using Quotient = std::array<AdaptiveBit, kNumUnary>;
  using Rest = std::array<AdaptiveBit, size_t{1} << kTreeBits>;

  // Twice the octave of the mean, and 1 more in its upper half.
  size_t Level() const {
    uint64_t mean = mean_;
    size_t octave = 0;
    for (int step = 32; step > 0; step /= 2) {
      if (mean >> step != 0) {
        mean >>= step;
        octave += static_cast<size_t>(step);
      }
    }
    const uint64_t below = octave == 0 ? 0 : mean_ >> (octave - 1) & 1;
    return 2 * octave + static_cast<size_t>(below);
  }

  // Ones and a zero; behind 16 ones, the number of bits of what is left.
  template <typename Coder>
  static uint64_t CodeQuotient(Coder* coder, Quotient* bits, uint64_t number) {
    for (uint64_t i = 0; i < kNumUnary; ++i) {
      if ((*bits)[i].Code(coder, number > i ? 1 : 0) == 0) return i;
    }
    uint64_t left = number - kNumUnary;
    int size = 0;
    while (left >> size != 0 && size < 32) ++size;
    size = static_cast<int>(coder->CodeEqual(static_cast<uint32_t>(size), 6));
    return kNumUnary + CodeEqual(coder, size, left);
  }

  template <typename Coder>
  static uint64_t CodeRest(Coder* coder, Rest* tree, int size,
                           uint64_t number) {
    const int tree_bits = std::min(size, kTreeBits);
    size_t node = 1;
    for (int place = size - 1; place >= size - tree_bits; --place) {
      const int bit = static_cast<int>(number >> place & 1);
      node = 2 * node + static_cast<size_t>((*tree)[node].Code(coder, bit));
    }
    const int left = size - tree_bits;
    const uint64_t high = node - (size_t{1} << tree_bits);
    return high << left |
           CodeEqual(coder, left, number & ((uint64_t{1} << left) - 1));
  }

  // Bits that are equally likely, the highest ones first.
  template <typename Coder>
  static uint64_t CodeEqual(Coder* coder, int size, uint64_t number) {
    uint64_t coded = 0;
    while (size > 0) {
      const int count = std::min(size, kMostEqualBits);
      size -= count;
      const uint64_t part = number >> size & ((uint64_t{1} << count) - 1);
      coded =
          coded << count | coder->CodeEqual(static_cast<uint32_t>(part), count);
    }
    return coded;
  }

  std::array<Quotient, kNumLevels> quotients_;
  std::array<Rest, kNumLevels> rests_;
  uint64_t mean_;  // in units of 1/256
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_GAP_MODEL_H_
