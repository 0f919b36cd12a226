// What the models of the arithmetic coder are made of (FORMAT.md, 9.2 and 9.3):
// probabilities that learn, and their mixture. All of it computes with
// integers: encoder and decoder must agree to the last bit on every machine.
#ifndef KERAS_DC_SRC_COMMON_ADAPTIVE_MODEL_H_
#define KERAS_DC_SRC_COMMON_ADAPTIVE_MODEL_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "common/constexpr_table.h"

namespace keras_dc {

// Probabilities are those of a 1 bit, in units of 1/65536.
inline constexpr int32_t kProbabilityOne = 1 << 16;
inline constexpr int32_t kLeastProbability = 32;
inline constexpr int32_t kMaxLogit = 2047;

// FORMAT.md, 9.2: the logistic function of logits/256, and its inverse. The
// table has 65536 / (1 + exp(-x)) at x = -8, -7.5, ..., 8, rounded.
inline constexpr std::array<int32_t, 33> kSquash = {
    22,    36,    60,    98,    162,   267,   439,   720,   1179,
    1921,  3108,  4971,  7812,  11955, 17625, 24743, 32768, 40793,
    47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097,
    65269, 65374, 65438, 65476, 65500, 65514};
inline constexpr int kSquashStepBits = 7;

inline constexpr int kStretchBits = 4;

// Both for each argument: a look-up is on the way from one bit to the next.
struct LogisticTables {
  LogisticTables();

  std::array<uint16_t, 2 * (kMaxLogit + 1)> squash;
  std::array<int16_t, (kProbabilityOne >> kStretchBits)> stretch;
};
extern const LogisticTables kLogisticTables;

inline int32_t Squash(int32_t logit) {
  const int32_t bounded = logit < -kMaxLogit  ? -kMaxLogit
                          : logit > kMaxLogit ? kMaxLogit
                                              : logit;
  return kLogisticTables.squash[static_cast<size_t>(bounded + kMaxLogit + 1)];
}

inline int32_t Stretch(int32_t probability) {
  return kLogisticTables
      .stretch[static_cast<size_t>(probability) >> kStretchBits];
}

// Moves a probability away from 0 and 1, so that both parts of a range have
// room.
inline int32_t Bounded(int32_t probability) {
  if (probability < kLeastProbability) return kLeastProbability;
  const int32_t most = kProbabilityOne - kLeastProbability;
  return probability > most ? most : probability;
}

// FORMAT.md, 9.3: by count, what part of the difference a probability moves,
// and how far its logit is trusted; both in units of 1/65536.
struct CountTables {
  static constexpr size_t kSize = 1024;
  std::array<int32_t, kSize> rate{};
  std::array<int32_t, kSize> trust{};
};
KERAS_DC_CONSTEXPR inline CountTables MakeCountTables() {
  CountTables tables;
  for (size_t n = 0; n < CountTables::kSize; ++n) {
    tables.rate[n] = static_cast<int32_t>(655360 / (10 * n + 16));
    tables.trust[n] =
        static_cast<int32_t>(65536 * (10 * n + 4) / (10 * n + 15));
  }
  return tables;
}
inline KERAS_DC_CONSTEXPR const CountTables kCountTables = MakeCountTables();

// A probability that follows the bits that it has seen, fast at first. The
// probability has 22 bits, the count of bits seen has 10.
class AdaptiveBit {
 public:
  AdaptiveBit() : AdaptiveBit(kProbabilityOne / 2) {}
  explicit AdaptiveBit(int32_t probability, uint32_t count = 0)
      : state_(static_cast<uint32_t>(probability) << 16 | count) {}

  int32_t probability() const { return static_cast<int32_t>(state_ >> 16); }
  uint32_t count() const { return state_ & kCountMask; }

  // Begins as another bit that has been seen, of which little is trusted.
  void StartAs(const AdaptiveBit& other) {
    const uint32_t n = other.count();
    state_ = (other.state_ & ~kCountMask) | (n < kTrusted ? n : kTrusted);
  }

  void Update(int bit) {
    const uint32_t n = count();
    const auto probability = static_cast<int32_t>(state_ >> kCountBits);
    const int32_t target = bit != 0 ? kLargest : 0;
    const int64_t step =
        static_cast<int64_t>(target - probability) * kCountTables.rate[n];
    const int32_t moved = probability + static_cast<int32_t>(step >> 16);
    state_ = static_cast<uint32_t>(moved) << kCountBits |
             (n < kCountMask ? n + 1 : n);
  }

  // Codes a bit, and learns it.
  template <typename Coder>
  int Code(Coder* coder, int bit) {
    const int coded = coder->Code(bit, Bounded(probability()));
    Update(coded);
    return coded;
  }

 private:
  static constexpr int kCountBits = 10;
  static constexpr uint32_t kCountMask = (1u << kCountBits) - 1;
  static constexpr uint32_t kTrusted = 2;
  static constexpr int32_t kLargest = (1 << 22) - 1;

  uint32_t state_;
};

// Combines the predictions of two adaptive bits: logistic mixing.
class Mixture {
 public:
  // Codes a bit; the weights and the inputs learn it.
  template <typename Coder>
  int Code(Coder* coder, int bit, AdaptiveBit* first, AdaptiveBit* second) {
    const int32_t a = Logit(*first);
    const int32_t b = Logit(*second);
    const int64_t mixed =
        (int64_t{weights_[0]} * a + int64_t{weights_[1]} * b) >> kWeightBits;
    const int32_t predicted = Bounded(Squash(static_cast<int32_t>(
        std::clamp<int64_t>(mixed, -kMaxLogit, kMaxLogit))));
    if (coder->CodeSeldom(bit != 0, predicted)) {
      Learn(1, kProbabilityOne - predicted, {a, b}, {first, second});
      return 1;
    }
    Learn(0, -predicted, {a, b}, {first, second});
    return 0;
  }

 private:
  static constexpr int kWeightBits = 16;
  static constexpr int kLearningBits = 17;

  void Learn(int bit, int32_t error, std::array<int32_t, 2> logits,
             std::array<AdaptiveBit*, 2> inputs) {
    for (size_t i = 0; i < 2; ++i) {
      weights_[i] += Step(logits[i], error);
      inputs[i]->Update(bit);
    }
  }

  // As far as it is trusted.
  static int32_t Logit(const AdaptiveBit& input) {
    return (Stretch(input.probability()) * kCountTables.trust[input.count()]) >>
           16;
  }

  static int32_t Step(int32_t logit, int32_t error) {
    return (logit * error + (1 << (kLearningBits - 1))) >> kLearningBits;
  }

  std::array<int32_t, 2> weights_ = {1 << (kWeightBits - 1),
                                     1 << (kWeightBits - 1)};
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_ADAPTIVE_MODEL_H_
