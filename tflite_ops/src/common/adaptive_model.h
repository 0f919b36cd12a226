// The probability models of the arithmetic coder (FORMAT.md, 9). They compute
// with integers only: encoder and decoder must agree to the last bit on every
// machine.
#ifndef KERAS_DC_SRC_COMMON_ADAPTIVE_MODEL_H_
#define KERAS_DC_SRC_COMMON_ADAPTIVE_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/format.h"

namespace keras_dc {

// Probabilities are those of a 1 bit, in units of 1/65536.
inline constexpr int32_t kProbabilityOne = 1 << 16;
inline constexpr int32_t kLeastProbability = 32;

// FORMAT.md, 9.2: the logistic function of logits/256, and its inverse.
int32_t Squash(int32_t logit);
int32_t Stretch(int32_t probability);

// A probability that follows the bits that it has seen, fast at first.
class AdaptiveBit {
 public:
  AdaptiveBit() = default;
  explicit AdaptiveBit(int32_t probability) : probability_(probability) {}

  int32_t probability() const { return probability_; }
  void Update(int bit, int max_count);

 private:
  int32_t probability_ = kProbabilityOne / 2;
  int32_t count_ = 0;
};

// Combines the predictions of several adaptive bits: logistic mixing.
class Mixture {
 public:
  static constexpr size_t kMaxInputs = 6;

  explicit Mixture(int32_t initial_weight) { weights_.fill(initial_weight); }

  void Begin() { num_inputs_ = 0; }
  void Add(AdaptiveBit* input, int max_count) {
    inputs_[num_inputs_] = input;
    max_counts_[num_inputs_++] = max_count;
  }
  // The probability of a 1, predicted from the added inputs.
  int32_t Predict();
  // Adapts the weights and the inputs to the bit that came.
  void Update(int bit);

 private:
  size_t num_inputs_ = 0;
  std::array<AdaptiveBit*, kMaxInputs> inputs_{};
  std::array<int, kMaxInputs> max_counts_{};
  std::array<int32_t, kMaxInputs> weights_{};
  std::array<int32_t, kMaxInputs> logits_{};
  int32_t prediction_ = 0;
};

// Predicts whether the next weight of a scan is kept: from how many were kept
// in its line, from how many at its offset in earlier lines, and from its
// neighbours.
class MaskModel {
 public:
  // A line has `line_length` weights; `num_kept` of `num_weights` weights are
  // kept. Kept weights of a line repeat after `period` weights; 0 if they do
  // not.
  MaskModel(uint64_t line_length, uint64_t num_weights, uint64_t num_kept,
            uint64_t period);

  // The probability that the next weight is kept.
  int32_t Predict();

  // Learns whether it is, and moves on to the following weight.
  void Update(int is_kept);

 private:
  static constexpr size_t kNumContexts = 256;

  // 1 if the weight `back` places before the current one in its line is kept,
  // else 0.
  uint32_t Before(uint64_t back) const;
  // The number of weights kept so far at the offset `distance` from the current
  // one.
  uint32_t KeptAt(int64_t distance) const;
  uint32_t Neighbours() const;
  // Levels (FORMAT.md, 9.4) of the density of the line, of the offset and of
  // the offsets around it, and of the distance to the last kept weight.
  uint32_t LineLevel() const;
  uint32_t OffsetLevel() const;
  uint32_t AroundLevel() const;
  uint32_t GapLevel() const;

  uint64_t line_length_;
  uint64_t period_;
  uint64_t offset_ = 0;     // of the current weight in its line
  uint32_t line_kept_ = 0;  // weights kept so far in the line
  uint64_t gap_ = 0;        // zeros since the last kept weight in the line
  AdaptiveBit initial_;
  AdaptiveBit line_;
  std::vector<AdaptiveBit> offsets_;
  std::vector<AdaptiveBit> neighbours_;
  std::vector<AdaptiveBit> densities_;
  std::vector<AdaptiveBit> surroundings_;
  std::vector<AdaptiveBit> gaps_;
  std::vector<uint16_t> offset_kept_;  // weights kept so far at each offset
  std::vector<uint8_t> current_, previous_, before_previous_;
  Mixture mixture_;
};

// Predicts cluster indices bit by bit, the highest bit first: from the bits
// before it, and from the signs of kept neighbours.
class IndexModel {
 public:
  // `is_negative` tells the sign of each centroid.
  IndexModel(std::vector<uint8_t> is_negative, uint64_t line_length,
             uint64_t period);

  int num_bits() const { return num_bits_; }

  // Moves to the kept weight at `offset` of line `line`.
  void Begin(uint64_t line, uint64_t offset);
  // The probability that the next bit of its index is 1.
  int32_t Predict();
  // Learns the bit.
  void Update(int bit);
  // The index, after all its bits. A damaged blob may give one that no centroid
  // has.
  size_t index() const { return prefix_ - (size_t{1} << num_bits_); }
  // Ends the weight. To be called if its index is that of a centroid.
  void End();

 private:
  // Of the weight `back` places before in the line: 0 if it is pruned, 1 if it
  // is positive, 2 if it is negative.
  size_t SignBefore(uint64_t back) const;

  std::vector<uint8_t> is_negative_;
  uint64_t period_;
  int num_bits_ = 0;
  uint64_t line_ = 0, offset_ = 0;
  size_t near_ = 0, far_ = 0, prefix_ = 1;
  // At each offset: 1 more than the line of the last kept weight, and its sign.
  std::vector<uint64_t> line_at_;
  std::vector<uint8_t> sign_at_;
  std::vector<AdaptiveBit> plain_, by_near_, by_far_, by_both_;
  Mixture mixture_;
};

// Moves a probability away from 0 and 1, so that both parts of a range have
// room.
inline int32_t Bounded(int32_t probability) {
  if (probability < kLeastProbability) return kLeastProbability;
  const int32_t most = kProbabilityOne - kLeastProbability;
  return probability > most ? most : probability;
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_ADAPTIVE_MODEL_H_
