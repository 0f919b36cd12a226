#include "common/adaptive_model.h"

#include <algorithm>
#include <utility>

namespace keras_dc {
namespace {

// FORMAT.md, 9.2: 65536 / (1 + exp(-x)) at x = -8, -7.5, ..., 8, rounded.
constexpr std::array<int32_t, 33> kSquash = {
    22,    36,    60,    98,    162,   267,   439,   720,   1179,
    1921,  3108,  4971,  7812,  11955, 17625, 24743, 32768, 40793,
    47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097,
    65269, 65374, 65438, 65476, 65500, 65514};
constexpr int32_t kMaxLogit = 2047;
constexpr int kSquashStepBits = 7;
constexpr int kStretchBits = 4;

constexpr int32_t Interpolate(int32_t logit) {
  const int32_t shifted = logit + 2048;
  const auto cell = static_cast<size_t>(shifted >> kSquashStepBits);
  const int32_t part = shifted & ((1 << kSquashStepBits) - 1);
  return kSquash[cell] +
         (((kSquash[cell + 1] - kSquash[cell]) * part) >> kSquashStepBits);
}

constexpr size_t kStretchSize = size_t{kProbabilityOne} >> kStretchBits;
using StretchTable = std::array<int16_t, kStretchSize>;

// For every 16 probabilities: the least logit whose probability reaches their
// middle.
StretchTable MakeStretchTable() {
  StretchTable table{};
  int32_t logit = -kMaxLogit;
  for (size_t i = 0; i < table.size(); ++i) {
    const int32_t middle = static_cast<int32_t>(i << kStretchBits) + 8;
    while (logit < kMaxLogit && Interpolate(logit) < middle) ++logit;
    table[i] = static_cast<int16_t>(logit);
  }
  return table;
}

// FORMAT.md, 9.3: 65536 / (n + 1.6), rounded down.
constexpr int kMaxContextCount = 1023;
constexpr int kMaxLineCount = 255;

constexpr std::array<int32_t, kMaxContextCount + 1> MakeRates() {
  std::array<int32_t, kMaxContextCount + 1> rates{};
  for (size_t n = 0; n < rates.size(); ++n) {
    rates[n] = static_cast<int32_t>(655360 / (10 * n + 16));
  }
  return rates;
}
constexpr std::array<int32_t, kMaxContextCount + 1> kRates = MakeRates();

// FORMAT.md, 9.4: levels grow by about the square root of two.
constexpr std::array<uint32_t, 15> kLevels = {1,  2,  3,  5,  7,   10,  14, 20,
                                              28, 40, 56, 80, 112, 160, 224};

uint32_t Level(uint32_t count) {
  return static_cast<uint32_t>(
      std::upper_bound(kLevels.begin(), kLevels.end(), count) -
      kLevels.begin());
}

// FORMAT.md, 9.4 and 9.5: the first weights of a mixture. They add up to a
// little more than 1.
constexpr int32_t kMaskWeight = 16000;
constexpr int32_t kIndexWeight = 20000;
constexpr int kLearningShift = 16;
constexpr int kMaxIndexCount = 255;
constexpr size_t kNumSigns = 3;

}  // namespace

int32_t Squash(int32_t logit) {
  return Interpolate(std::clamp(logit, -kMaxLogit, kMaxLogit));
}

int32_t Stretch(int32_t probability) {
  static const StretchTable table = MakeStretchTable();
  return table[static_cast<size_t>(probability) >> kStretchBits];
}

void AdaptiveBit::Update(int bit, int max_count) {
  const int32_t target = bit != 0 ? kProbabilityOne - 1 : 0;
  const int64_t step = static_cast<int64_t>(target - probability_) *
                       kRates[static_cast<size_t>(count_)];
  probability_ += static_cast<int32_t>(step >> 16);
  if (count_ < max_count) ++count_;
}

int32_t Mixture::Predict() {
  int64_t sum = 0;
  for (size_t i = 0; i < num_inputs_; ++i) {
    logits_[i] = Stretch(inputs_[i]->probability());
    sum += static_cast<int64_t>(weights_[i]) * logits_[i];
  }
  const int64_t mixed = std::clamp<int64_t>(sum >> 16, -kMaxLogit, kMaxLogit);
  prediction_ = Bounded(Squash(static_cast<int32_t>(mixed)));
  return prediction_;
}

void Mixture::Update(int bit) {
  const int32_t error = (bit != 0 ? kProbabilityOne : 0) - prediction_;
  for (size_t i = 0; i < num_inputs_; ++i) {
    const int64_t step = static_cast<int64_t>(logits_[i]) * error;
    weights_[i] += static_cast<int32_t>(step >> kLearningShift);
    inputs_[i]->Update(bit, max_counts_[i]);
  }
}

MaskModel::MaskModel(uint64_t line_length, uint64_t num_weights,
                     uint64_t num_kept, uint64_t period)
    : line_length_(line_length), period_(period), mixture_(kMaskWeight) {
  const uint64_t share =
      num_weights == 0 ? 0 : num_kept * kProbabilityOne / num_weights;
  initial_ = AdaptiveBit(Bounded(
      static_cast<int32_t>(std::min<uint64_t>(share, kProbabilityOne - 1))));
  line_ = initial_;
  const auto length = static_cast<size_t>(line_length);
  offsets_.assign(length, initial_);
  neighbours_.assign(kNumContexts, initial_);
  densities_.assign(kNumContexts, initial_);
  surroundings_ = gaps_ = densities_;
  offset_kept_.assign(length, 0);
  current_.assign(length, 0);
  previous_ = before_previous_ = current_;
}

uint32_t MaskModel::Before(uint64_t back) const {
  return offset_ >= back ? current_[static_cast<size_t>(offset_ - back)] : 0;
}

uint32_t MaskModel::Neighbours() const {
  const auto offset = static_cast<size_t>(offset_);
  uint32_t context = Before(1) | Before(2) << 1 |
                     uint32_t{previous_[offset]} << 2 |
                     uint32_t{before_previous_[offset]} << 3;
  if (period_ != 0) {
    context |= Before(period_) << 4 | Before(period_ - 1) << 5 |
               Before(period_ + 1) << 6 | Before(2 * period_) << 7;
  }
  return context;
}

uint32_t MaskModel::KeptAt(int64_t distance) const {
  const int64_t offset = static_cast<int64_t>(offset_) + distance;
  if (offset < 0 || offset >= static_cast<int64_t>(line_length_)) return 0;
  return offset_kept_[static_cast<size_t>(offset)];
}

uint32_t MaskModel::LineLevel() const {
  return Level(
      static_cast<uint32_t>(uint64_t{line_kept_} * 128 / (offset_ + 16)));
}

uint32_t MaskModel::OffsetLevel() const { return Level(KeptAt(0)); }

uint32_t MaskModel::AroundLevel() const {
  uint32_t kept = KeptAt(0) + KeptAt(-1) + KeptAt(1);
  const auto period = static_cast<int64_t>(period_);
  if (period != 0) kept += KeptAt(-period) + KeptAt(period);
  return Level(kept);
}

uint32_t MaskModel::GapLevel() const {
  return Level(static_cast<uint32_t>(std::min<uint64_t>(gap_, 0xffff)));
}

int32_t MaskModel::Predict() {
  const uint32_t line = LineLevel() * 16;
  mixture_.Begin();
  mixture_.Add(&offsets_[static_cast<size_t>(offset_)], kMaxLineCount);
  mixture_.Add(&line_, kMaxLineCount);
  mixture_.Add(&neighbours_[Neighbours()], kMaxContextCount);
  mixture_.Add(&densities_[line + OffsetLevel()], kMaxContextCount);
  mixture_.Add(&surroundings_[line + AroundLevel()], kMaxContextCount);
  mixture_.Add(&gaps_[GapLevel() * 16 + OffsetLevel()], kMaxContextCount);
  return mixture_.Predict();
}

void MaskModel::Update(int is_kept) {
  mixture_.Update(is_kept);
  const auto offset = static_cast<size_t>(offset_);
  current_[offset] = static_cast<uint8_t>(is_kept);
  line_kept_ += static_cast<uint32_t>(is_kept);
  gap_ = is_kept != 0 ? 0 : gap_ + 1;
  if (is_kept != 0 && offset_kept_[offset] < 0xffff) ++offset_kept_[offset];
  if (++offset_ < line_length_) return;
  offset_ = 0;
  line_kept_ = 0;
  gap_ = 0;
  line_ = initial_;
  before_previous_.swap(previous_);
  previous_.swap(current_);
}

IndexModel::IndexModel(std::vector<uint8_t> is_negative, uint64_t line_length,
                       uint64_t period)
    : is_negative_(std::move(is_negative)),
      period_(period),
      line_at_(static_cast<size_t>(line_length), 0),
      sign_at_(static_cast<size_t>(line_length), 0),
      mixture_(kIndexWeight) {
  while ((size_t{1} << num_bits_) < is_negative_.size()) ++num_bits_;
  const size_t num_nodes = size_t{1} << num_bits_;
  plain_.resize(num_nodes);
  by_near_.resize(kNumSigns * num_nodes);
  by_far_ = by_near_;
  by_both_.resize(kNumSigns * kNumSigns * num_nodes);
}

size_t IndexModel::SignBefore(uint64_t back) const {
  if (back == 0 || back > offset_) return 0;
  const auto place = static_cast<size_t>(offset_ - back);
  return line_at_[place] == line_ + 1 ? sign_at_[place] : 0;
}

void IndexModel::Begin(uint64_t line, uint64_t offset) {
  line_ = line;
  offset_ = offset;
  near_ = SignBefore(1);
  if (near_ == 0) near_ = SignBefore(2);
  far_ = SignBefore(period_);
  prefix_ = 1;
}

int32_t IndexModel::Predict() {
  const size_t num_nodes = plain_.size();
  mixture_.Begin();
  mixture_.Add(&plain_[prefix_], kMaxIndexCount);
  mixture_.Add(&by_near_[near_ * num_nodes + prefix_], kMaxIndexCount);
  mixture_.Add(&by_far_[far_ * num_nodes + prefix_], kMaxIndexCount);
  mixture_.Add(&by_both_[(near_ * kNumSigns + far_) * num_nodes + prefix_],
               kMaxIndexCount);
  return mixture_.Predict();
}

void IndexModel::Update(int bit) {
  mixture_.Update(bit);
  prefix_ = 2 * prefix_ + static_cast<size_t>(bit);
}

void IndexModel::End() {
  const auto place = static_cast<size_t>(offset_);
  line_at_[place] = line_ + 1;
  sign_at_[place] = is_negative_[index()] != 0 ? 2 : 1;
}

}  // namespace keras_dc
