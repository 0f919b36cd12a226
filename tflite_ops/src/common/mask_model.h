// Predicts which weights are kept, weight by weight: the smallest way to code
// positions (FORMAT.md, 9.4).
#ifndef KERAS_DC_SRC_COMMON_MASK_MODEL_H_
#define KERAS_DC_SRC_COMMON_MASK_MODEL_H_

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

  // To be called before and behind the weights of a live line.
  void BeginLine();
  void EndLine();

  // Codes whether the weight at the i-th live offset is kept.
  template <typename Coder>
  int Code(Coder* coder, size_t i, int is_kept) {
    // Before the call: the order in which arguments are evaluated is open.
    AdaptiveBit* near = SetContext(i);
    const int coded =
        mixture_.Code(coder, is_kept, near, &by_product_[product_context_]);
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
  // The adaptive bit of the neighbours; sets product_context_.
  AdaptiveBit* SetContext(size_t i);
  void Note(size_t i, int is_kept);

  int64_t period_;
  int64_t line_length_ = 0;
  uint64_t num_lines_ = 0;  // live lines before the current one
  uint32_t line_kept_ = 0;  // weights kept so far in the line
  int32_t density_ = 0;     // of live weights, a probability
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
