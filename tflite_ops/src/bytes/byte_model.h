// The model of bytes that are no weights: graphs, names, small constants
// (PACK.md, 4). It predicts bit by bit, from many contexts mixed together, and
// computes with integers only: packer and unpacker must agree to the last bit
// on every machine.
#ifndef KERAS_DC_SRC_BYTES_BYTE_MODEL_H_
#define KERAS_DC_SRC_BYTES_BYTE_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "bytes/byte_history.h"
#include "bytes/logistic_mixer.h"
#include "bytes/nibble_table.h"
#include "bytes/record_tracker.h"
#include "bytes/word_guesses.h"

namespace keras_dc {

// What the bytes of a run are.
enum class ByteKind : uint8_t {
  kGraph = 0,  // a flatbuffer's tables, vectors and strings; anything else
  kInt8 = 1,   // numbers of a byte
  kWords = 2,  // words of 4 bytes: float32
  kPairs = 3,  // words of 2 bytes: float16
};
inline constexpr uint32_t kNumByteKinds = 4;

// A run of bytes, and what helps to predict it.
struct ByteRun {
  ByteKind kind = ByteKind::kGraph;
  uint64_t position = 0;   // of its first byte in the file
  uint64_t row_bytes = 0;  // of a row; 0 if there are none
  // What stood here before; none if null.
  const uint8_t* base = nullptr;
  size_t base_size = 0;
};

// Bytes that are none of the file: a recipe.
inline ByteRun RecipeRun() {
  ByteRun run;
  run.kind = ByteKind::kInt8;
  return run;
}

class ByteModel {
 public:
  // For `num_bytes` bytes in all, those of the dictionary included, which
  // decides how much memory is taken: at most 24 MB.
  explicit ByteModel(uint64_t num_bytes);

  void BeginRun(const ByteRun& run);
  // The probability that the next bit, the highest of a byte first, is 1.
  int32_t Predict();
  // Learns the bit.
  void Update(int bit);

 private:
  static constexpr size_t kMaxContexts = 16;
  static constexpr size_t kNumNames = 31;  // of contexts
  // Before the contexts: two matches, guesses, the bare byte, the base.
  static constexpr size_t kNumInputs = 24;
  static constexpr int kLimit = 255;

  void BeginByte();
  void EndByte(uint8_t byte);
  void SetContexts();
  template <typename Add>
  void AddGraphContexts(const Add& add);
  // The byte that stands `rows` rows above; 256 if there is none.
  uint32_t Above(uint64_t rows) const;
  uint32_t GuessedBytes() const;
  void FindNibbles();
  // The current bit's place in a nibble's bucket.
  size_t Place() const {
    if (depth_ < 4) return partial_;
    return (partial_ & ((1u << (depth_ - 4)) - 1)) | 1u << (depth_ - 4);
  }
  int32_t Logit(const AdaptiveProbability& bit) const {
    return logits_[bit.probability >> 4];
  }
  // An expected bit, and how often such expectations are right; null if there
  // is none.
  struct Expectation {
    AdaptiveProbability* right = nullptr;
    int bit = 0;
  };
  // The logit of an expected byte; 0 if it is 256, none, or if the bits before
  // are others.
  int32_t LogitOf(uint32_t byte, AdaptiveProbability* right,
                  Expectation* expectation) const;
  uint32_t BaseByte(size_t offset) const {
    return offset < run_.base_size ? run_.base[offset] : 256;
  }

  const LogitTable& logits_ = Logits();
  const BitHistories& histories_ = Histories();
  ByteHistory history_;
  RecordTracker tracker_;
  WordGuesses guesses_;
  NibbleTable table_;
  std::array<MatchFinder, 2> matches_;
  LogisticMixer<kNumInputs> mixer_;

  ByteRun run_;
  size_t offset_ = 0;  // in the run
  uint32_t lane_ = 0;  // of the word
  uint32_t base_hits_ = 0;
  uint32_t partial_ = 1;  // bits of the current byte, behind a 1
  uint32_t depth_ = 0;    // how many
  uint32_t text_hash_ = 0;
  bool is_begun_ = false;

  std::array<uint32_t, kMaxContexts> hashes_{};
  std::array<uint8_t*, kMaxContexts> nibbles_{};
  std::array<AdaptiveProbability*, kMaxContexts> maps_{};
  size_t num_contexts_ = 0;
  std::array<AdaptiveProbability, kNumNames * 256> by_history_{};
  std::array<AdaptiveProbability, size_t{kNumByteKinds} * 4 * 256> by_byte_{};
  std::array<AdaptiveProbability*, kMaxContexts> used_{};
  AdaptiveProbability* used_byte_ = nullptr;
  std::array<AdaptiveProbability, 2 * 64> by_match_{};
  std::array<AdaptiveProbability, size_t{64} * 4> by_base_{};
  std::array<Expectation, 3> expectations_{};
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_BYTE_MODEL_H_
