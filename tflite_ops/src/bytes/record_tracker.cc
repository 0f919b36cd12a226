#include "bytes/record_tracker.h"

#include <algorithm>

namespace keras_dc {
namespace {

constexpr uint32_t kMostDistance = 1 << 28;
constexpr uint32_t kVectorField = 256;

}  // namespace

RecordTracker::RecordTracker(int log_size)
    : pairs_(size_t{1} << std::min(log_size, 10)),
      targets_(size_t{1} << log_size),
      shift_(32 - log_size) {}

uint32_t RecordTracker::Hash(uint64_t a, uint64_t b) {
  const uint64_t mixed =
      (a * 0x9e3779b97f4a7c15 ^ (b + 0x51ed27)) * 0xd6e8feb86659fd93;
  return static_cast<uint32_t>(mixed >> 32);
}

uint32_t RecordTracker::Field(uint64_t position) const {
  const uint64_t offset = position - current_.position;
  if (current_.is_table) {
    return static_cast<uint32_t>(std::min<uint64_t>(offset, kVectorField - 1));
  }
  if (offset < 4) return static_cast<uint32_t>(offset);
  return kVectorField + static_cast<uint32_t>(offset & 3);
}

void RecordTracker::BeginWord(uint64_t position, const ByteHistory& history) {
  const Target& target = targets_[Hash(position, 0) >> shift_];
  if (target.kind == 0 || target.file != file_ || target.position != position) {
    return;
  }
  current_ = {target.kind, position, history.size(), false};
  Pair& pair = pairs_[current_.kind % pairs_.size()];
  previous_ = pair.last.kind == current_.kind ? pair.last : Record();
  before_previous_ = pair.before.kind == current_.kind ? pair.before : Record();
  pair.before = previous_;
  pair.last = current_;
}

void RecordTracker::EndWord(uint64_t position, uint32_t word,
                            const ByteHistory& history) {
  if (current_.kind != 0 && position == current_.position) {
    // A table begins with the way back to its field offsets.
    const auto back = static_cast<int32_t>(word);
    if (back < 0) {
      current_.is_table = true;
    } else if (back >= 4 && static_cast<size_t>(back) + 4 <= history.size()) {
      const size_t place = history.size() - 4 - static_cast<size_t>(back);
      if (history.Holds(place)) {
        const uint32_t head = history.WordAt(place);
        const uint32_t size = head & 0xffff;
        current_.is_table = size >= 4 && size % 2 == 0 &&
                            size <= static_cast<uint32_t>(back) &&
                            (head >> 16) >= 4;
      }
    }
    pairs_[current_.kind % pairs_.size()].last.is_table = current_.is_table;
    return;
  }
  if (word < 4 || word > kMostDistance) return;
  Target& target = targets_[Hash(position + word, 0) >> shift_];
  // The first offset to an object tells its kind.
  if (target.file == file_ && target.position == position + word) return;
  target = {position + word, file_, Hash(current_.kind, Field(position)) | 1};
}

}  // namespace keras_dc
