// Numbers the values of a tensor that has few of them.
#ifndef KERAS_DC_SRC_COMMON_VALUE_INDEX_H_
#define KERAS_DC_SRC_COMMON_VALUE_INDEX_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "common/pack_format.h"

namespace keras_dc {

class ValueIndex {
 public:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  // The number of a value, from 0 in the order of their adding; kNone if it was
  // not added.
  size_t Find(uint32_t value) const {
    const Slot& slot = slots_[PlaceOf(value)];
    return slot.number == 0 ? kNone : slot.number - 1u;
  }

  // As Find, but adds the value; kNone if there are kMostPaletteValues already.
  size_t Add(uint32_t value) {
    Slot& slot = slots_[PlaceOf(value)];
    if (slot.number == 0) {
      if (values_.size() == kMostPaletteValues) return kNone;
      values_.push_back(value);
      slot = {value, static_cast<uint32_t>(values_.size())};
    }
    return slot.number - 1u;
  }

  const std::vector<uint32_t>& values() const { return values_; }

 private:
  struct Slot {
    uint32_t value = 0;
    uint32_t number = 0;  // from 1; 0 for a free slot
  };

  size_t PlaceOf(uint32_t value) const {
    size_t place = (value * 0x9e3779b1u) >> 22;
    while (slots_[place].number != 0 && slots_[place].value != value) {
      place = (place + 1) % slots_.size();
    }
    return place;
  }

  std::array<Slot, 1024> slots_{};
  std::vector<uint32_t> values_;
};

// PACK.md, 3.5: the places of the values, the most frequent first, of equally
// frequent ones the smallest.
inline std::vector<size_t> OrderByFrequency(const std::vector<uint32_t>& values,
                                            const std::vector<size_t>& counts) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return counts[a] != counts[b] ? counts[a] > counts[b]
                                  : values[a] < values[b];
  });
  return order;
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_VALUE_INDEX_H_
