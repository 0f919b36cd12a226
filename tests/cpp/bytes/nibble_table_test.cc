// Bit histories and where they stand.
#include "bytes/nibble_table.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace keras_dc {
namespace {

TEST(BitHistories, FitInAByte) {
  EXPECT_GT(Histories().count, 100);
  EXPECT_LE(Histories().count, 256);
}

TEST(BitHistories, CountWhatTheySaw) {
  const BitHistories& histories = Histories();
  size_t history = 0;
  for (int i = 0; i < 3; ++i) history = histories.next[history][1];
  EXPECT_EQ(histories.ones[history], 3);
  EXPECT_EQ(histories.zeros[history], 0);
  history = histories.next[history][0];
  EXPECT_EQ(histories.zeros[history], 1);
  // What speaks against a bit fades: 2 + (3 - 2) / 2.
  EXPECT_EQ(histories.ones[history], 2);
}

TEST(BitHistories, NeverLeaveTheirTable) {
  const BitHistories& histories = Histories();
  for (size_t i = 0; i < static_cast<size_t>(histories.count); ++i) {
    for (size_t bit = 0; bit < 2; ++bit) {
      const size_t next = histories.next[i][bit];
      EXPECT_GT(next, 0u);
      EXPECT_LT(next, static_cast<size_t>(histories.count));
      EXPECT_GT(bit == 0 ? histories.zeros[next] : histories.ones[next], 0);
    }
  }
}

TEST(NibbleTable, KeepsABucketUntilTwoOthersNeedIt) {
  NibbleTable table(4);
  uint8_t* bucket = table.Find(0x11000002);
  bucket[1] = Histories().next[0][1];
  EXPECT_EQ(table.Find(0x11000002), bucket);
  // Another tag takes the neighbour, which saw nothing.
  uint8_t* other = table.Find(0x22000002);
  EXPECT_NE(other, bucket);
  EXPECT_EQ(table.Find(0x11000002)[1], bucket[1]);
  other[1] = Histories().next[bucket[1]][1];
  // A third one takes the place of the one that saw less.
  EXPECT_EQ(table.Find(0x33000002), bucket);
  EXPECT_EQ(bucket[1], 0);
}

}  // namespace
}  // namespace keras_dc
