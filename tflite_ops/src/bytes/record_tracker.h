// Follows the offsets of a flatbuffer while its bytes come, without knowing its
// schema (PACK.md, 4.5): which object a byte belongs to, and what kind that is.
#ifndef KERAS_DC_SRC_BYTES_RECORD_TRACKER_H_
#define KERAS_DC_SRC_BYTES_RECORD_TRACKER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bytes/byte_history.h"

namespace keras_dc {

// What is known of an object: a table, a vector or a string.
struct Record {
  uint32_t kind = 0;
  uint64_t position = 0;  // in the file
  size_t place = 0;       // in the history
  bool is_table = false;
};

class RecordTracker {
 public:
  explicit RecordTracker(int log_size);

  // To be called where a word may begin: at a multiple of 4.
  void BeginWord(uint64_t position, const ByteHistory& history);
  // To be called behind each word.
  void EndWord(uint64_t position, uint32_t word, const ByteHistory& history);
  // Forgets all places of objects, but not what is known of their kinds:
  // another flatbuffer begins.
  void Restart() {
    ++file_;
    Leave();
  }
  // Forgets the current object: the next byte is elsewhere.
  void Leave() { current_ = Record(); }

  const Record& current() const { return current_; }
  // The last two objects of the kind of the current one; of kind 0 if there are
  // none.
  const Record& previous() const { return previous_; }
  const Record& before_previous() const { return before_previous_; }
  // Of a byte at `position`: its place in the object, as a context. In a vector
  // or a string all places behind the first ones are one.
  uint32_t Field(uint64_t position) const;

 private:
  struct Pair {
    Record last, before;
  };
  struct Target {
    uint64_t position = 0;
    uint32_t file = 0;
    uint32_t kind = 0;
  };
  static uint32_t Hash(uint64_t a, uint64_t b);

  std::vector<Pair> pairs_;      // by kind
  std::vector<Target> targets_;  // by position
  int shift_;
  uint32_t file_ = 0;
  Record current_, previous_, before_previous_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_RECORD_TRACKER_H_
