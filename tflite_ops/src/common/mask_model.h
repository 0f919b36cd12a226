// Predicts which weights are kept, weight by weight: the smallest way to code
// positions (FORMAT.md, 9.4).
#ifndef KERAS_DC_SRC_COMMON_MASK_MODEL_H_
#define KERAS_DC_SRC_COMMON_MASK_MODEL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/adaptive_model.h"

namespace keras_dc {

// Whether each line, and each offset in a line, has a kept weight.
struct Liveness {
  std::vector<uint8_t> lines;
  std::vector<uint8_t> offsets;
};

// Predicts whether a weight is kept: from how many were kept in its line, from
// how many at its offset and around it in the lines before, and from its
// neighbours. Where a line or an offset has none, there is nothing to code.
class MaskModel {
 public:
  // Kept weights of a line repeat after `period` weights; 0 if they do not.
  explicit MaskModel(uint64_t period) : period_(static_cast<int64_t>(period)) {}

  // Codes which lines and offsets are live; to be called first. A decoder sets
  // the flags. `num_kept` weights are kept.
  template <typename Coder>
  void CodeLiveness(Coder* coder, uint64_t num_kept, Liveness* liveness) {
    CodeFlags(coder, 0, &liveness->lines);
    CodeFlags(coder, static_cast<size_t>(period_), &liveness->offsets);
    Prepare(num_kept, *liveness);
  }

  // The offsets at which there is something to code.
  const std::vector<uint32_t>& live_offsets() const { return live_offsets_; }

  // To be called before and behind the weights of a live line, which take the
  // mixture along: a copy of their own stays in registers.
  Mixture BeginLine();
  void EndLine(const Mixture& mixture);

  // Codes whether the weight at the i-th live offset is kept.
  template <typename Coder>
  int Code(Coder* coder, Mixture* mixture, size_t i, int is_kept) {
    // Before the call: the order in which arguments are evaluated is open.
    AdaptiveBit* near = SetContext(i);
    const int coded =
        mixture->Code(coder, is_kept, near, &by_product_[product_context_]);
    Note(i, coded);
    return coded;
  }

 private:
  template <typename Coder>
  static void CodeFlags(Coder* coder, size_t period,
                        std::vector<uint8_t>* flags) {
    std::vector<AdaptiveBit> bits(8);
    for (size_t i = 0; i < flags->size(); ++i) {
      const auto flag_before = [&](size_t back) -> size_t {
        return back > 0 && back <= i ? (*flags)[i - back] : 0;
      };
      const size_t context = flag_before(1) |
                             (period == 0 ? 0 : flag_before(period) << 1) |
                             (period == 0 ? 0 : flag_before(period - 1) << 2);
      (*flags)[i] =
          static_cast<uint8_t>(bits[context].Code(coder, (*flags)[i]));
    }
  }

  void Prepare(uint64_t num_kept, const Liveness& liveness);
  // Calls `visit(place, weight)` for the offsets around `offset`.
  template <typename Visit>
  void ForEachAround(int64_t offset, Visit visit) const;
  static size_t Bucket(int32_t logit) {
    return static_cast<size_t>(std::clamp(logit, -kMaxLogit, kMaxLogit) +
                               kMaxLogit + 1) >>
           kBucketBits;
  }

  // part/whole, of which the part is in units of 1/65536.
  static int32_t Probability(uint64_t part, uint64_t whole) {
    return Bounded(static_cast<int32_t>(
        std::min<uint64_t>(part / whole, kProbabilityOne - 1)));
  }

  // The adaptive bit of the neighbours; sets product_context_.
  AdaptiveBit* SetContext(size_t i) {
    const size_t offset = live_offsets_[i];
    const uint8_t* here = &current_[padding_ + offset];
    const uint8_t* above = &previous_[padding_ + offset];
    const uint8_t above_2 = before_previous_[padding_ + offset];
    size_t near = static_cast<size_t>(here[-1] | here[-2] << 1 | above[0] << 2 |
                                      above_2 << 3);
    size_t count =
        static_cast<size_t>(here[-1] + here[-2] + here[-3] + here[-4] +
                            above[-1] + above[0] + above[1] + above_2);
    if (period_ != 0) {
      const uint8_t* back = here - period_;
      near |= static_cast<size_t>(back[0] << 4 | back[1] << 5 | back[-1] << 6 |
                                  back[-period_] << 7);
      count +=
          static_cast<size_t>(back[0] + back[1] + back[-1] + back[-period_]);
    }
    const int32_t logit = around_logits_[offset] +
                          Stretch(Probability(line_part_, i + kLinePrior)) -
                          Stretch(density_);
    product_context_ =
        kNumCounts * Bucket(logit) + std::min(count, kNumCounts - 1);
    return &by_neighbours_[near];
  }

  void Note(size_t i, int is_kept) {
    if (is_kept == 0) return;
    line_part_ += kProbabilityOne;
    current_[padding_ + live_offsets_[i]] = 1;
  }

  static constexpr size_t kNumCounts = 8;
  // Buckets of a logit are a quarter wide.
  static constexpr int kBucketBits = 6;
  // What the density of a line begins with, in weights.
  static constexpr uint32_t kLinePrior = 20;

  int64_t period_;
  int64_t line_length_ = 0;
  uint64_t num_lines_ = 0;  // live lines before the current one
  // Weights kept so far in the line and the prior, in units of 1/65536.
  uint64_t line_part_ = 0;
  int32_t density_ = 0;  // of live weights, a probability
  size_t product_context_ = 0;
  std::vector<uint32_t> live_offsets_;
  // Of each live offset: how many weights were kept around it in the lines
  // before, nearer ones counting for more; what they would count if all were
  // kept in one line; and the logit of their share.
  std::vector<uint64_t> around_kept_;
  std::vector<uint32_t> around_weights_;
  std::vector<int32_t> around_logits_;
  std::vector<AdaptiveBit> by_neighbours_;
  std::vector<AdaptiveBit> by_product_;
  // Masks of the line and of the two before, with zeros on both sides.
  size_t padding_ = 0;
  std::vector<uint8_t> current_, previous_, before_previous_;
  Mixture mixture_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_MASK_MODEL_H_
