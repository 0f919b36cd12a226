// Guesses of whole words of 4 bytes (PACK.md, 4.6).
#ifndef KERAS_DC_SRC_BYTES_WORD_GUESSES_H_
#define KERAS_DC_SRC_BYTES_WORD_GUESSES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bytes/byte_history.h"
#include "bytes/logistic_mixer.h"
#include "bytes/record_tracker.h"

namespace keras_dc {

class WordGuesses {
 public:
  static constexpr size_t kNumGuesses = 4;

  explicit WordGuesses(int log_size);

  // Begins a run; words of floats are followed by their own history.
  void BeginRun(bool are_floats) {
    are_floats_ = are_floats;
    num_words_ = 0;
    valid_ = tried_ = 0;
  }
  // Guesses the word at `position` of the file from objects of its kind.
  void GuessField(uint64_t position, const RecordTracker& tracker,
                  const ByteHistory& history);
  // Guesses the next float from the ones before.
  void GuessFloat(const ByteHistory& history);
  // To be called behind each byte of the word and behind the word.
  void EndByte(uint32_t byte, uint32_t lane);
  void EndWord(uint32_t word, const ByteHistory& history);

  // Of guess `i`: the logit of the next bit, of which `partial` tells the
  // `depth` ones before in the byte; 0 if the guess failed already.
  int32_t Logit(size_t i, uint32_t lane, uint32_t partial, uint32_t depth);
  void Update(int bit);

  uint32_t ExpectedByte(size_t i, uint32_t lane) const {
    return (valid_ >> i & 1) != 0 ? (words_[i] >> (8 * lane)) & 0xff : 256;
  }
  uint32_t valid() const { return valid_; }

 private:
  const LogitTable& logits_ = Logits();
  bool are_floats_ = false;
  std::array<uint32_t, kNumGuesses> words_{};
  uint32_t valid_ = 0;  // guesses that are right so far
  uint32_t tried_ = 0;  // guesses that were made for this word
  std::array<uint32_t, kNumGuesses> hits_{};  // of the last words, a bit each
  std::array<AdaptiveProbability, size_t{2} * kNumGuesses * 16 * 4 * 8>
      right_{};
  std::array<AdaptiveProbability*, kNumGuesses> used_{};
  std::array<int, kNumGuesses> expected_{};

  // Of floats: where the last word of each context stands in the history.
  std::vector<uint32_t> forward_, backward_, strided_, wide_;
  int shift_;
  size_t num_words_ = 0;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_WORD_GUESSES_H_
