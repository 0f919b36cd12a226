// The probabilities of the second coder (FORMAT.md, 9). Integers throughout:
// encoder and decoder must agree to the last bit on every machine.
#ifndef KERAS_DC_SRC_COMMON_ADAPTIVE_MODEL_H_
#define KERAS_DC_SRC_COMMON_ADAPTIVE_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/format.h"

namespace keras_dc {

// Probabilities that a bit is 1, in units of 1/65536.
inline constexpr int32_t kProbabilityOne = 1 << 16;
inline constexpr int32_t kLeastProbability = 32;

// FORMAT.md, 9.2: the logistic function of logits/256, and its inverse.
int32_t Squash(int32_t logit);
int32_t Stretch(int32_t probability);

// A probability that follows the bits seen, fast at first.
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

// Weighs the opinions of several adaptive bits: logistic mixing.
class Mixture {
 public:
  static constexpr size_t kMaxInputs = 6;

  explicit Mixture(int32_t initial_weight) { weights_.fill(initial_weight); }

  void Begin() { num_inputs_ = 0; }
  void Add(AdaptiveBit* input, int max_count) {
    inputs_[num_inputs_] = input;
    max_counts_[num_inputs_++] = max_count;
  }
  // The probability of a 1 by what was added, and what all learn from the bit.
  int32_t Predict();
  void Update(int bit);

 private:
  size_t num_inputs_ = 0;
  std::array<AdaptiveBit*, kMaxInputs> inputs_{};
  std::array<int, kMaxInputs> max_counts_{};
  std::array<int32_t, kMaxInputs> weights_{};
  std::array<int32_t, kMaxInputs> logits_{};
  int32_t prediction_ = 0;
};

// Whether the next weight of a scan is kept. Contexts are what is known of its
// line, of its place in the lines before, and of its neighbours.
class MaskModel {
 public:
  // Lines of `line_length` weights; of `num_weights` in all `num_kept` are
  // kept; `period` is the distance of weights that go together, 0 for none.
  MaskModel(uint64_t line_length, uint64_t num_weights, uint64_t num_kept,
            uint64_t period);

  // The probability that the next weight is kept.
  int32_t Predict();

  // Tells what it was, and goes on to the one after.
  void Update(int is_kept);

 private:
  static constexpr size_t kNumContexts = 256;

  // Kept or not, `back` weights before the current one in its line.
  uint32_t Before(uint64_t back) const;
  // How many were kept so far at the offset `distance` from the current one.
  uint32_t KeptAt(int64_t distance) const;
  uint32_t Neighbours() const;
  // Levels of densities: of the line, of the offset, of the offsets around, and
  // of how long ago the last kept weight was.
  uint32_t LineLevel() const;
  uint32_t OffsetLevel() const;
  uint32_t AroundLevel() const;
  uint32_t GapLevel() const;

  uint64_t line_length_;
  uint64_t period_;
  uint64_t offset_ = 0;     // of the current weight in its line
  uint32_t line_kept_ = 0;  // kept so far in the line
  uint64_t gap_ = 0;        // zeros since the last kept one in the line
  AdaptiveBit initial_;
  AdaptiveBit line_;
  std::vector<AdaptiveBit> offsets_;
  std::vector<AdaptiveBit> neighbours_;
  std::vector<AdaptiveBit> densities_;
  std::vector<AdaptiveBit> surroundings_;
  std::vector<AdaptiveBit> gaps_;
  std::vector<uint16_t> offset_kept_;  // kept so far at each offset
  std::vector<uint8_t> current_, previous_, before_previous_;
  Mixture mixture_;
};

// Cluster indices, bit by bit from the highest, each in the context of those
// before it and of the signs of kept neighbours.
class IndexModel {
 public:
  // `is_negative` tells the sign of each centroid.
  IndexModel(std::vector<uint8_t> is_negative, uint64_t line_length,
             uint64_t period);

  int num_bits() const { return num_bits_; }

  // Goes to the kept weight at `offset` of line `line`.
  void Begin(uint64_t line, uint64_t offset);
  // The probability that the next bit of its index is 1, and what it was.
  int32_t Predict();
  void Update(int bit);
  // The index, once all its bits were told; it may lie beyond the centroids.
  size_t index() const { return prefix_ - (size_t{1} << num_bits_); }
  // Ends the weight; its index is one of the centroids.
  void End();

 private:
  // No kept weight `back` before in the line, a positive or a negative one.
  size_t SignBefore(uint64_t back) const;

  std::vector<uint8_t> is_negative_;
  uint64_t period_;
  int num_bits_ = 0;
  uint64_t line_ = 0, offset_ = 0;
  size_t near_ = 0, far_ = 0, prefix_ = 1;
  std::vector<uint64_t> line_at_;  // line of the last kept weight, and 1 more
  std::vector<uint8_t> sign_at_;
  std::vector<AdaptiveBit> plain_, by_near_, by_far_, by_both_;
  Mixture mixture_;
};

// A probability that a range can be divided by.
inline int32_t Bounded(int32_t probability) {
  if (probability < kLeastProbability) return kLeastProbability;
  const int32_t most = kProbabilityOne - kLeastProbability;
  return probability > most ? most : probability;
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_ADAPTIVE_MODEL_H_
