#include "bytes/nibble_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace keras_dc {
namespace {

// How far the larger count goes beside the smaller one.
constexpr std::array<int, 6> kMostBeside = {40, 24, 12, 8, 6, 5};

bool IsAllowed(int zeros, int ones) {
  const int least = std::min(zeros, ones);
  return least < static_cast<int>(kMostBeside.size()) &&
         std::max(zeros, ones) <= kMostBeside[static_cast<size_t>(least)];
}

// Counts after one more of `more`: what speaks against it fades.
void Count(int* more, int* less) {
  ++*more;
  if (*less > 2) *less = 2 + (*less - 2) / 2;
  // Too many of both: the older ones are forgotten.
  while (!IsAllowed(*more, *less)) {
    if (*less > 0 && IsAllowed(*more, *less - 1)) {
      --*less;
    } else {
      --*more;
    }
  }
}

BitHistories MakeHistories() {
  BitHistories made;
  // Numbers by zeros, ones and last bit.
  std::array<std::array<std::array<int, 2>, 64>, 64> number{};
  int next = 1;
  for (int total = 1; total < 64; ++total) {
    for (int ones = 0; ones <= total; ++ones) {
      const int zeros = total - ones;
      if (!IsAllowed(zeros, ones)) continue;
      for (int last = 0; last < 2; ++last) {
        if ((last == 0 ? zeros : ones) == 0) continue;
        const auto place = static_cast<size_t>(next);
        made.zeros[place] = static_cast<uint8_t>(zeros);
        made.ones[place] = static_cast<uint8_t>(ones);
        number[static_cast<size_t>(zeros)][static_cast<size_t>(ones)]
              [static_cast<size_t>(last)] = next++;
      }
    }
  }
  made.count = next;
  for (size_t i = 0; i < static_cast<size_t>(next); ++i) {
    for (size_t bit = 0; bit < 2; ++bit) {
      int counts[2] = {made.zeros[i], made.ones[i]};
      Count(&counts[bit], &counts[1 - bit]);
      made.next[i][bit] =
          static_cast<uint8_t>(number[static_cast<size_t>(counts[0])]
                                     [static_cast<size_t>(counts[1])][bit]);
    }
  }
  return made;
}

}  // namespace

const BitHistories& Histories() {
  static const BitHistories histories = MakeHistories();
  return histories;
}

uint8_t* NibbleTable::Find(uint32_t hash) {
  const auto tag = static_cast<uint8_t>(hash >> 24);
  const size_t first = hash & mask_;
  uint8_t* one = &buckets_[16 * first];
  if (one[0] == tag) return one;
  uint8_t* other = &buckets_[16 * (first ^ 1)];
  if (other[0] == tag) return other;
  // Of the two the one that has seen less makes room.
  const BitHistories& histories = Histories();
  const auto seen = [&](const uint8_t* bucket) {
    return histories.zeros[bucket[1]] + histories.ones[bucket[1]];
  };
  uint8_t* chosen = seen(one) <= seen(other) ? one : other;
  std::memset(chosen, 0, 16);
  chosen[0] = tag;
  return chosen;
}

}  // namespace keras_dc
