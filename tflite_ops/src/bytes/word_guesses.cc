#include "bytes/word_guesses.h"

namespace keras_dc {
namespace {

constexpr uint32_t kMagnitude = 0x7fffffff;
constexpr int kGuessLimit = 255;

uint32_t HashOf(uint32_t a, uint32_t b) {
  return ((a & kMagnitude) * 0x2f0b4c47 + (b & kMagnitude)) * 0x9e3779b1;
}

}  // namespace

const LogitTable& Logits() {
  static const LogitTable table = [] {
    LogitTable made{};
    for (size_t i = 0; i < made.size(); ++i) {
      made[i] = static_cast<int16_t>(Stretch(static_cast<int32_t>(16 * i)));
    }
    return made;
  }();
  return table;
}

WordGuesses::WordGuesses(int log_size)
    : forward_(size_t{1} << log_size, 0),
      backward_(forward_),
      strided_(forward_),
      wide_(forward_),
      shift_(32 - log_size) {}

void WordGuesses::GuessField(uint64_t position, const RecordTracker& tracker,
                             const ByteHistory& history) {
  valid_ = 0;
  const Record& current = tracker.current();
  if (current.kind == 0) {
    tried_ = 0;
    return;
  }
  const uint64_t offset = position - current.position;
  const Record& last = tracker.previous();
  const Record& before = tracker.before_previous();
  const bool in_vector = !current.is_table && offset >= 4;
  const size_t place = last.place + static_cast<size_t>(offset);
  const bool known =
      last.kind != 0 && history.Holds(place) && place + 4 <= history.size();
  if (known) {
    const uint32_t word = history.WordAt(place);
    const auto moved = static_cast<uint32_t>(current.position - last.position);
    words_[0] = word;
    words_[1] = word + moved;
    words_[2] = word - moved;
    valid_ = 7;
    const size_t earlier = before.place + static_cast<size_t>(offset);
    if (before.kind != 0 && history.Holds(earlier)) {
      words_[3] = 2 * word - history.WordAt(earlier);
      valid_ = 15;
    }
  }
  if (in_vector && offset >= 8) {
    const uint32_t left = history.WordBack(4);
    words_[1] = left;
    valid_ |= 2;
    if (offset >= 12) {
      words_[2] = 2 * left - history.WordBack(8);
      words_[3] = history.WordBack(8);
      valid_ |= 12;
    }
  }
  tried_ = valid_;
}

void WordGuesses::GuessFloat(const ByteHistory& history) {
  valid_ = 0;
  const auto guess = [&](size_t i, size_t place) {
    if (place == 0 || !history.Holds(place - 1) || place + 3 > history.size()) {
      return;
    }
    words_[i] = history.WordAt(place - 1);
    valid_ |= uint32_t{1} << i;
  };
  if (num_words_ >= 2) {
    const uint32_t last = history.WordBack(4), before = history.WordBack(8);
    guess(0, forward_[HashOf(before, last) >> shift_]);
    guess(1, backward_[HashOf(last, before) >> shift_]);
  }
  if (num_words_ >= 8) {
    guess(
        2,
        strided_[HashOf(history.WordBack(32), history.WordBack(16)) >> shift_]);
  }
  if (num_words_ >= 16) {
    guess(3,
          wide_[HashOf(history.WordBack(64), history.WordBack(32)) >> shift_]);
  }
  tried_ = valid_;
}

void WordGuesses::EndByte(uint32_t byte, uint32_t lane) {
  for (size_t i = 0; i < kNumGuesses; ++i) {
    if ((valid_ >> i & 1) == 0) continue;
    if (((words_[i] >> (8 * lane)) & 0xff) != byte) {
      valid_ &= ~(uint32_t{1} << i);
    }
  }
}

void WordGuesses::EndWord(uint32_t word, const ByteHistory& history) {
  const uint32_t mask = are_floats_ ? kMagnitude : 0xffffffff;
  for (size_t i = 0; i < kNumGuesses; ++i) {
    if ((tried_ >> i & 1) == 0) continue;
    const uint32_t hit = ((words_[i] ^ word) & mask) == 0 ? 1 : 0;
    hits_[i] = (hits_[i] << 1 | hit) & 15;
  }
  if (!are_floats_) return;
  ++num_words_;
  // The last word is now known as the one that came behind others; places are
  // one more, so that 0 is none.
  const auto place = [&](size_t back) {
    return static_cast<uint32_t>(history.size() - back + 1);
  };
  const auto key = [&](size_t first, size_t second) {
    return HashOf(history.WordBack(first), history.WordBack(second)) >> shift_;
  };
  if (num_words_ >= 3) {
    forward_[key(12, 8)] = place(4);
    backward_[key(8, 4)] = place(12);
  }
  if (num_words_ >= 9) strided_[key(36, 20)] = place(4);
  if (num_words_ >= 17) wide_[key(68, 36)] = place(4);
}

int32_t WordGuesses::Logit(size_t i, uint32_t lane, uint32_t partial,
                           uint32_t depth) {
  used_[i] = nullptr;
  if ((valid_ >> i & 1) == 0) return 0;
  const uint32_t byte = (words_[i] >> (8 * lane)) & 0xff;
  const uint32_t seen = partial - (uint32_t{1} << depth);
  // The sign of a float may be another one.
  const uint32_t ignored =
      are_floats_ && lane == 3 && depth > 0 ? uint32_t{1} << (depth - 1) : 0;
  if ((((byte >> (8 - depth)) ^ seen) & ~ignored) != 0) return 0;
  expected_[i] = static_cast<int>((byte >> (7 - depth)) & 1);
  const size_t mode = are_floats_ ? 1 : 0;
  used_[i] =
      &right_[(((mode * kNumGuesses + i) * 16 + hits_[i]) * 4 + lane) * 8 +
              depth];
  const int32_t logit = logits_[used_[i]->probability >> 4];
  return expected_[i] != 0 ? logit : -logit;
}

void WordGuesses::Update(int bit) {
  for (size_t i = 0; i < kNumGuesses; ++i) {
    if (used_[i] == nullptr) continue;
    used_[i]->Update(bit == expected_[i] ? 1 : 0, kGuessLimit);
  }
}

}  // namespace keras_dc
