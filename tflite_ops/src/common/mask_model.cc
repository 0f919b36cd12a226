#include "common/mask_model.h"

#include <algorithm>

namespace keras_dc {
namespace {

constexpr size_t kNumNeighbourhoods = 256;
// Of logits.
constexpr size_t kNumBuckets = 64;
constexpr uint32_t kBucketCount = 1;

// What the density of an offset begins with, in weights.
constexpr uint64_t kOffsetPrior = 3;

}  // namespace

template <typename Visit>
void MaskModel::ForEachAround(int64_t offset, Visit visit) const {
  const auto at = [&](int64_t distance, uint32_t weight) {
    const int64_t place = offset + distance;
    if (place >= 0 && place < line_length_) {
      visit(static_cast<size_t>(place), weight);
    }
  };
  at(0, 8);
  at(-1, 4);
  at(1, 4);
  if (period_ == 0) return;
  for (const int64_t side : {-period_, period_}) {
    at(side, 4);
    at(side - 1, 2);
    at(side + 1, 2);
    at(2 * side, 1);
  }
  at(-2, 1);
  at(2, 1);
}

void MaskModel::Prepare(uint64_t num_kept, const Liveness& liveness) {
  const size_t length = liveness.offsets.size();
  line_length_ = static_cast<int64_t>(length);
  for (size_t i = 0; i < length; ++i) {
    if (liveness.offsets[i] != 0) {
      live_offsets_.push_back(static_cast<uint32_t>(i));
    }
  }
  const auto live_lines = static_cast<uint64_t>(
      std::count(liveness.lines.begin(), liveness.lines.end(), 1));
  const uint64_t live_weights = live_lines * live_offsets_.size();
  density_ = Probability(num_kept * kProbabilityOne,
                         std::max<uint64_t>(live_weights, 1));
  by_neighbours_.assign(kNumNeighbourhoods, AdaptiveBit(density_));
  for (size_t bucket = 0; bucket < kNumBuckets; ++bucket) {
    const int32_t middle =
        static_cast<int32_t>((2 * bucket + 1) << (kBucketBits - 1)) -
        kMaxLogit - 1;
    by_product_.insert(by_product_.end(), kNumCounts,
                       AdaptiveBit(Bounded(Squash(middle)), kBucketCount));
  }
  padding_ = static_cast<size_t>(std::max<int64_t>(2 * period_, 4));
  current_.assign(length + 2 * padding_, 0);
  previous_ = before_previous_ = current_;
  around_kept_.assign(length, 0);
  around_weights_.assign(length, 0);
  around_logits_.assign(length, 0);
  for (const uint32_t offset : live_offsets_) {
    ForEachAround(offset, [&](size_t place, uint32_t weight) {
      around_weights_[place] += weight;
    });
  }
}

Mixture MaskModel::BeginLine() {
  const auto density = static_cast<uint64_t>(density_);
  for (const uint32_t offset : live_offsets_) {
    const uint64_t weights = around_weights_[offset];
    around_logits_[offset] =
        Stretch(Probability(around_kept_[offset] * kProbabilityOne +
                                density * kOffsetPrior * weights,
                            weights * (num_lines_ + kOffsetPrior)));
  }
  line_part_ = density * kLinePrior;
  return mixture_;
}

void MaskModel::EndLine(const Mixture& mixture) {
  mixture_ = mixture;
  for (const uint32_t offset : live_offsets_) {
    if (current_[padding_ + offset] == 0) continue;
    ForEachAround(offset, [&](size_t place, uint32_t weight) {
      around_kept_[place] += weight;
    });
  }
  ++num_lines_;
  before_previous_.swap(previous_);
  previous_.swap(current_);
  std::fill(current_.begin(), current_.end(), uint8_t{0});
}

}  // namespace keras_dc
