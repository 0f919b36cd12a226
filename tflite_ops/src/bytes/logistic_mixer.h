// Adaptive probabilities, and how several predictions become one (PACK.md, 4.1
// and 4.2). Probabilities are those of a 1 bit, in units of 1/65536; a logit is
// what FORMAT.md, 9.2 calls so.
#ifndef KERAS_DC_SRC_BYTES_LOGISTIC_MIXER_H_
#define KERAS_DC_SRC_BYTES_LOGISTIC_MIXER_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bytes/mixer_loops.h"
#include "common/adaptive_model.h"

namespace keras_dc {

inline constexpr int kMaxAdaptiveCount = 255;

inline constexpr std::array<int32_t, kMaxAdaptiveCount + 1> MakeSteps() {
  std::array<int32_t, kMaxAdaptiveCount + 1> steps{};
  for (size_t n = 0; n < steps.size(); ++n) {
    steps[n] = static_cast<int32_t>(131072 / (2 * n + 3));
  }
  return steps;
}
inline constexpr std::array<int32_t, kMaxAdaptiveCount + 1> kSteps =
    MakeSteps();

// A probability that follows the bits that it has seen, fast at first.
struct AdaptiveProbability {
  uint16_t probability = 1 << 15;
  uint16_t count = 0;

  void Update(int bit, int limit) {
    const int32_t target = bit != 0 ? kProbabilityOne - 1 : 0;
    const int64_t step =
        static_cast<int64_t>(target - probability) * kSteps[count];
    probability = static_cast<uint16_t>(probability + (step >> 16));
    if (count < limit) ++count;
  }
};

// Stretch() as a table, by probability / 16.
using LogitTable = std::array<int16_t, 4096>;
const LogitTable& Logits();

// Sums logits with weights of its own for each of several sets, and then those
// sums. A set is chosen by a context; weights and choice learn.
template <size_t kNumInputs>
class LogisticMixer {
 public:
  static constexpr size_t kNumSets = 3;
  static_assert(kNumInputs % 8 == 0);

  LogisticMixer(const std::array<size_t, kNumSets>& sizes,
                int32_t initial_weight) {
    for (size_t s = 0; s < kNumSets; ++s) {
      weights_[s].assign(sizes[s] * kNumInputs, initial_weight);
    }
    for (auto& row : final_weights_) row.fill(kProbabilityOne / kNumSets);
  }

  void Set(size_t input, int32_t logit) { logits_[input] = logit; }

  // From the first `size` inputs, a multiple of 8.
  int32_t Predict(size_t size, const std::array<size_t, kNumSets>& chosen,
                  size_t final_set) {
    size_ = size;
    chosen_ = chosen;
    final_set_ = final_set;
    int64_t total = 0;
    for (size_t s = 0; s < kNumSets; ++s) {
      sums_[s] =
          Clamped(loops_.dot_product(Row(s), logits_.data(), size_) >> 11);
      set_predictions_[s] = Squash(sums_[s]);
      total += static_cast<int64_t>(final_weights_[final_set][s]) * sums_[s];
    }
    prediction_ = Squash(Clamped(total >> 16));
    return prediction_;
  }

  void Update(int bit) {
    const int32_t target = bit != 0 ? kProbabilityOne : 0;
    for (size_t s = 0; s < kNumSets; ++s) {
      const int32_t error = ((target - set_predictions_[s]) * kRate) >> 4;
      loops_.move_weights(error, logits_.data(), size_, Row(s));
    }
    const int32_t error = target - prediction_;
    for (size_t s = 0; s < kNumSets; ++s) {
      final_weights_[final_set_][s] += (sums_[s] * error) >> kFinalShift;
    }
  }

 private:
  static constexpr int32_t kRate = 6;
  static constexpr int kFinalShift = 18;
  static constexpr size_t kNumFinalSets = 16;

  int32_t* Row(size_t set) { return &weights_[set][chosen_[set] * kNumInputs]; }
  static int32_t Clamped(int64_t logit) {
    return static_cast<int32_t>(std::clamp<int64_t>(logit, -2047, 2047));
  }

  const MixerLoops& loops_ = FastestMixerLoops();
  std::array<std::vector<int32_t>, kNumSets> weights_;
  std::array<std::array<int32_t, kNumSets>, kNumFinalSets> final_weights_{};
  std::array<int32_t, kNumInputs> logits_{};
  std::array<size_t, kNumSets> chosen_{};
  size_t size_ = 0;
  size_t final_set_ = 0;
  std::array<int32_t, kNumSets> sums_{};
  std::array<int32_t, kNumSets> set_predictions_{};
  int32_t prediction_ = 0;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_LOGISTIC_MIXER_H_
