// The probabilities of the second coder (FORMAT.md, 9). Integers throughout:
// encoder and decoder must agree to the last bit on every machine.
#ifndef KERAS_DC_SRC_ADAPTIVE_MODEL_H_
#define KERAS_DC_SRC_ADAPTIVE_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "format.h"

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

// Whether the next weight of a scan is kept. Contexts are what is known of its
// line, of its place in the lines before, and of its neighbours; a logistic
// mixture weighs them.
class MaskModel {
 public:
  // `num_lines` lines of `line_length` weights, of which `num_kept` are kept;
  // `period` is the distance of weights that go together, 0 for none.
  MaskModel(uint64_t line_length, uint64_t num_weights, uint64_t num_kept,
            uint64_t period);

  // The probability that the next weight is kept.
  int32_t Predict();

  // Tells what it was, and goes on to the one after.
  void Update(int is_kept);

 private:
  static constexpr size_t kNumInputs = 6;
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
  std::array<int32_t, kNumInputs> weights_;
  // Between Predict and Update.
  std::array<AdaptiveBit*, kNumInputs> inputs_{};
  std::array<int32_t, kNumInputs> logits_{};
  int32_t prediction_ = 0;
};

// Cluster indices, bit by bit from the highest, each in the context of those
// before it.
class IndexModel {
 public:
  explicit IndexModel(size_t num_centroids);

  int num_bits() const { return num_bits_; }
  AdaptiveBit* Node(size_t prefix) { return &nodes_[prefix]; }

 private:
  int num_bits_ = 0;
  std::vector<AdaptiveBit> nodes_;
};

inline constexpr int kMaxIndexCount = 255;

// A probability that a range can be divided by.
inline int32_t Bounded(int32_t probability) {
  if (probability < kLeastProbability) return kLeastProbability;
  const int32_t most = kProbabilityOne - kLeastProbability;
  return probability > most ? most : probability;
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ADAPTIVE_MODEL_H_
