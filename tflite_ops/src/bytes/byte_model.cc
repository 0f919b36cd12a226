#include "bytes/byte_model.h"

#include <algorithm>

namespace keras_dc {
namespace {

constexpr int kLeastLogBytes = 8;
constexpr int kMostLogBytes = 22;

// log2 of `num_bytes`, rounded up and bounded.
int LogBytes(uint64_t num_bytes) {
  int log = kLeastLogBytes;
  while (log < kMostLogBytes && num_bytes >> log != 0) ++log;
  return log;
}

uint32_t Mix(uint32_t a, uint32_t b) {
  const uint32_t mixed = (a ^ (b * 0x9e3779b1)) * 0x85ebca6b;
  return mixed ^ mixed >> 15;
}

uint32_t MatchLevel(uint32_t matched) {
  if (matched < 16) return matched;
  return std::min<uint32_t>(16 + (matched - 16) / 8, 21);
}

// The size of an int8, coarsely; 0 if there is none.
uint32_t Size(uint32_t byte) {
  if (byte == 256) return 0;
  const auto number = static_cast<int8_t>(byte);
  const int size = number < 0 ? -number : number;
  return 1 + static_cast<uint32_t>(size) / 4;
}

constexpr int32_t kFirstWeight = 14000;

}  // namespace

ByteModel::ByteModel(uint64_t num_bytes)
    : history_(LogBytes(num_bytes)),
      tracker_(std::min(LogBytes(num_bytes) - 2, 18)),
      guesses_(std::min(LogBytes(num_bytes), 18)),
      table_(std::min(LogBytes(num_bytes) + 3, 20)),
      matches_{MatchFinder(6, std::min(LogBytes(num_bytes), 18)),
               MatchFinder(3, std::min(LogBytes(num_bytes), 16))},
      mixer_({size_t{23} * 8 * kNumByteKinds, size_t{kNumByteKinds} * 256,
              size_t{kNumByteKinds} * 4 * 16},
             kFirstWeight) {
  for (size_t i = 0; i < by_history_.size(); ++i) {
    const int ones = histories_.ones[i % 256],
              zeros = histories_.zeros[i % 256];
    by_history_[i].probability = static_cast<uint16_t>(
        65536 * (8 * ones + 3) / (8 * (ones + zeros) + 6));
  }
}

void ByteModel::BeginRun(const ByteRun& run) {
  run_ = run;
  offset_ = 0;
  base_hits_ = 0;
  if (run.kind != ByteKind::kGraph) {
    tracker_.Leave();
  } else if (run.position == 0) {
    tracker_.Restart();
  }
  guesses_.BeginRun(run.kind == ByteKind::kWords);
}

void ByteModel::SetContexts() {
  const uint32_t c1 = history_.Back(1), c2 = history_.Back(2),
                 c4 = history_.Back(4), c8 = history_.Back(8);
  const uint32_t two = c1 | c2 << 8;
  num_contexts_ = 0;
  const auto add = [&](uint32_t name, uint32_t a, uint32_t b) {
    hashes_[num_contexts_] = Mix(Mix(a, b), name);
    maps_[num_contexts_++] = &by_history_[256 * name];
  };
  // Each context has a name of its own, which chooses its predictions.
  switch (run_.kind) {
    case ByteKind::kGraph:
      AddGraphContexts(add);
      break;
    case ByteKind::kInt8:
      add(14, 0, 0);
      add(15, c1, 0);
      add(16, two, 0);
      add(17, Above(1), c1);
      add(18, Above(1), Above(2));
      add(19, Size(c1) + Size(c2), Size(Above(1)));
      break;
    case ByteKind::kWords:
      add(20, c1, lane_);
      add(21, GuessedBytes(), lane_);
      add(22, guesses_.ExpectedByte(0, lane_), c1);
      add(23, c4 | c8 << 8, lane_);
      break;
    case ByteKind::kPairs:
      add(24, c1, lane_);
      add(25, two, lane_ & 1);
      add(26, c2 | c4 << 8, lane_ & 1);
      add(27, Above(1) << 1 | (lane_ & 1), c1);
      add(28, Above(1), Above(2));
      break;
  }
  const uint32_t base = BaseByte(offset_);
  if (base == 256) return;
  add(29, base << 8 | c1, 0);
  add(30, base << 9 | BaseByte(offset_ + 1), lane_ | base_hits_ << 2);
}

template <typename Add>
void ByteModel::AddGraphContexts(const Add& add) {
  const uint32_t c1 = history_.Back(1), c2 = history_.Back(2),
                 c4 = history_.Back(4), c8 = history_.Back(8);
  const uint32_t two = c1 | c2 << 8, four = history_.WordBack(4);
  add(0, c1, lane_);
  add(1, two, 0);
  add(2, four >> 8, 0);
  add(3, four, 0);
  add(4, four, history_.Back(5) | uint32_t{history_.Back(6)} << 8);
  add(5, text_hash_, c1);
  // The object and the field in it.
  const Record& record = tracker_.current();
  const uint32_t field =
      record.kind == 0
          ? lane_
          : Mix(record.kind, tracker_.Field(run_.position + offset_));
  add(6, field, 0);
  add(7, field, c1 + 1);
  add(8, field, two + 1);
  add(9, GuessedBytes(), lane_);
  add(10,
      guesses_.ExpectedByte(0, lane_) << 9 | guesses_.ExpectedByte(1, lane_),
      c1);
  // The same lane of the words before.
  add(11, c4 | c8 << 8, lane_);
  add(12, c4 | c1 << 8, lane_);
  add(13, c2 | c4 << 8, lane_ & 1);
}

uint32_t ByteModel::GuessedBytes() const {
  uint32_t guessed = 0;
  for (size_t i = 0; i < WordGuesses::kNumGuesses; ++i) {
    guessed = guessed * 257 + guesses_.ExpectedByte(i, lane_);
  }
  return guessed;
}

uint32_t ByteModel::Above(uint64_t rows) const {
  const uint64_t distance = rows * run_.row_bytes;
  if (distance == 0 || distance > offset_) return 256;
  const auto back = static_cast<size_t>(distance);
  return history_.Holds(history_.size() - back) ? history_.Back(back) : 256;
}

void ByteModel::FindNibbles() {
  std::array<uint32_t, kMaxContexts> hashes = hashes_;
  for (size_t i = 0; i < num_contexts_; ++i) {
    if (depth_ != 0) hashes[i] = Mix(hashes[i] + 0x3d4d51cb, partial_);
    table_.Prefetch(hashes[i]);
  }
  for (size_t i = 0; i < num_contexts_; ++i) {
    nibbles_[i] = table_.Find(hashes[i]);
  }
}

void ByteModel::BeginByte() {
  const uint64_t position = run_.position + offset_;
  lane_ = static_cast<uint32_t>(position & 3);
  if (run_.kind == ByteKind::kGraph && lane_ == 0) {
    tracker_.BeginWord(position, history_);
    guesses_.GuessField(position, tracker_, history_);
  } else if (run_.kind == ByteKind::kWords) {
    lane_ = static_cast<uint32_t>(offset_ & 3);
    if (lane_ == 0) guesses_.GuessFloat(history_);
  }
  SetContexts();
  is_begun_ = true;
}

int32_t ByteModel::LogitOf(uint32_t byte, AdaptiveProbability* right,
                           Expectation* expectation) const {
  expectation->right = nullptr;
  if (byte == 256 || (byte | 256) >> (8 - depth_) != partial_) return 0;
  expectation->right = right;
  expectation->bit = static_cast<int>((byte >> (7 - depth_)) & 1);
  const int32_t logit = Logit(*right);
  return expectation->bit != 0 ? logit : -logit;
}

int32_t ByteModel::Predict() {
  if (!is_begun_) BeginByte();
  if (depth_ % 4 == 0) FindNibbles();
  const size_t place = Place();
  // What is always there stands first.
  uint32_t best = 0;
  for (size_t m = 0; m < matches_.size(); ++m) {
    const uint32_t level = MatchLevel(matches_[m].matched());
    mixer_.Set(m, LogitOf(level == 0 ? 256 : matches_[m].Expected(history_),
                          &by_match_[64 * m + level], &expectations_[m]));
    if (m == 0 && expectations_[m].right != nullptr) best = level + 1;
  }
  const bool has_words =
      run_.kind == ByteKind::kGraph || run_.kind == ByteKind::kWords;
  for (size_t g = 0; g < WordGuesses::kNumGuesses && has_words; ++g) {
    mixer_.Set(2 + g, guesses_.Logit(g, lane_, partial_, depth_));
  }
  const auto kind = static_cast<size_t>(run_.kind);
  used_byte_ = &by_byte_[(kind * 4 + lane_) * 256 + partial_];
  mixer_.Set(6, Logit(*used_byte_));
  mixer_.Set(7, LogitOf(BaseByte(offset_), &by_base_[base_hits_ * 4 + lane_],
                        &expectations_[2]));
  for (size_t i = 0; i < num_contexts_; ++i) {
    const uint8_t history = nibbles_[i][place];
    used_[i] = &maps_[i][history];
    mixer_.Set(8 + i, history == 0 ? 0 : Logit(*used_[i]));
  }
  const size_t size = (8 + num_contexts_ + 7) / 8 * 8;
  for (size_t i = 8 + num_contexts_; i < size; ++i) mixer_.Set(i, 0);
  const size_t expected =
      expectations_[2].right != nullptr ? 4 + (base_hits_ & 3) : lane_;
  return std::clamp<int32_t>(
      mixer_.Predict(
          size,
          {(best * 8 + expected) * kNumByteKinds + kind, kind * 256 + partial_,
           (kind * 4 + lane_) * 16 + guesses_.valid()},
          kind * 4 + lane_),
      1, kProbabilityOne - 1);
}

void ByteModel::Update(int bit) {
  mixer_.Update(bit);
  const size_t place = Place();
  for (size_t i = 0; i < num_contexts_; ++i) {
    used_[i]->Update(bit, kLimit);
    uint8_t& history = nibbles_[i][place];
    history = histories_.next[history][static_cast<size_t>(bit)];
  }
  for (const Expectation& each : expectations_) {
    if (each.right == nullptr) continue;
    each.right->Update(bit == each.bit ? 1 : 0, kLimit);
  }
  if (run_.kind == ByteKind::kGraph || run_.kind == ByteKind::kWords) {
    guesses_.Update(bit);
  }
  used_byte_->Update(bit, kLimit);
  partial_ = 2 * partial_ + static_cast<uint32_t>(bit);
  if (++depth_ == 8) EndByte(static_cast<uint8_t>(partial_));
}

void ByteModel::EndByte(uint8_t byte) {
  const uint32_t base = BaseByte(offset_);
  if (base != 256) base_hits_ = (base_hits_ << 1 | (base == byte ? 1 : 0)) & 63;
  history_.Append(byte);
  const bool is_letter = (byte | 32) >= 'a' && (byte | 32) <= 'z';
  text_hash_ = is_letter ? Mix(text_hash_, byte) : 0;
  for (MatchFinder& match : matches_) match.Update(history_);
  guesses_.EndByte(byte, lane_);
  if (lane_ == 3 && history_.size() >= 4) {
    const uint32_t word = history_.WordBack(4);
    if (run_.kind == ByteKind::kGraph) {
      tracker_.EndWord(run_.position + offset_ - 3, word, history_);
      guesses_.EndWord(word, history_);
    } else if (run_.kind == ByteKind::kWords) {
      guesses_.EndWord(word, history_);
    }
  }
  partial_ = 1;
  depth_ = 0;
  ++offset_;
  is_begun_ = false;
}

}  // namespace keras_dc
