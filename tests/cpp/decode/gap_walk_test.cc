#include "decode/gap_walk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "common/cpu.h"

namespace keras_dc {
namespace {

using Walk = void (*)(const uint8_t*, uint64_t, uint32_t, GapWalk*);
using Add = GapTotals (*)(const uint8_t*, size_t, uint32_t);

struct Case {
  size_t num_symbols;
  uint64_t row_length;
  uint32_t filler;
  double fillers;  // the share of them
  uint32_t max_gap;
};

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const size_t size : {1, 15, 16, 17, 63, 64, 65, 200, 1024, 1100, 5000}) {
    for (const uint64_t row_length : {1, 2, 7, 16, 100, 1000, 100000}) {
      cases.push_back({size, row_length, 1, 0.5, 0});
      cases.push_back({size, row_length, 3, 0.4, 2});
      cases.push_back({size, row_length, 15, 0.0, 14});
      cases.push_back({size, row_length, 255, 0.01, 254});
      cases.push_back({size, row_length, 255, 0.95, 254});
    }
  }
  return cases;
}

std::vector<uint8_t> Gaps(const Case& c) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform;
  std::vector<uint8_t> gaps(c.num_symbols);
  for (uint8_t& gap : gaps) {
    gap = static_cast<uint8_t>(
        uniform(random) < c.fillers ? c.filler : random() % (c.max_gap + 1));
  }
  gaps.back() = 0;
  return gaps;
}

// The oracle: FORMAT.md, 4, word for word.
void ExpectPositions(const Case& c, const std::vector<uint8_t>& gaps,
                     std::vector<uint32_t>* row_begin,
                     std::vector<uint32_t>* columns) {
  uint64_t p = 0;
  row_begin->assign(1, 0);
  for (const uint8_t g : gaps) {
    if (g == c.filler) {
      p += c.filler;
      continue;
    }
    while (row_begin->size() <= (p + g) / c.row_length) {
      row_begin->push_back(static_cast<uint32_t>(columns->size()));
    }
    columns->push_back(static_cast<uint32_t>((p + g) % c.row_length));
    p += g + 1u;
  }
}

void ExpectWalks(Walk walk_gaps) {
  constexpr uint32_t kUntouched = 0xabcdef01;
  for (const Case& c : Cases()) {
    SCOPED_TRACE(testing::Message()
                 << c.num_symbols << " symbols, rows of " << c.row_length
                 << ", F = " << c.filler << ", fillers " << c.fillers);
    const std::vector<uint8_t> gaps = Gaps(c);
    std::vector<uint32_t> row_begin, columns;
    ExpectPositions(c, gaps, &row_begin, &columns);
    for (const size_t step : {c.num_symbols, size_t{100}}) {
      std::vector<uint32_t> walked_rows(row_begin.size());
      std::vector<uint32_t> walked(columns.size() + kMaxColumnsBeyond,
                                   kUntouched);
      GapWalk walk;
      walk.gap = gaps.data();
      walk.next = walked.data();
      walk.columns = walked.data();
      walk.columns_end = walked.data() + columns.size();
      walk.row_begin = walked_rows.data();
      for (size_t i = 0; i < gaps.size(); i += step) {
        const size_t end = std::min(i + step, gaps.size());
        walk_gaps(gaps.data() + end, c.row_length, c.filler, &walk);
        ASSERT_EQ(walk.gap, gaps.data() + end);
      }
      EXPECT_EQ(walk.next, walk.columns_end);
      EXPECT_EQ(walk.row, row_begin.size() - 1);
      EXPECT_EQ(walked_rows, row_begin);
      EXPECT_TRUE(std::equal(columns.begin(), columns.end(), walked.begin()));
      EXPECT_EQ(
          std::count(walked.begin() + static_cast<ptrdiff_t>(columns.size()),
                     walked.end(), kUntouched),
          static_cast<ptrdiff_t>(kMaxColumnsBeyond));
    }
  }
}

// The first gap begins 20 weights before the first row. Offsets 13, 14 and 32
// are kept.
void ExpectWalkFromBefore(Walk walk_gaps) {
  const std::vector<uint8_t> gaps = {15, 15, 3, 0, 15, 2};
  std::vector<uint32_t> columns(3), row_begin(5);
  GapWalk walk;
  walk.gap = gaps.data();
  walk.next = columns.data();
  walk.columns = columns.data();
  walk.columns_end = columns.data() + columns.size();
  walk.row_begin = row_begin.data();
  walk.offset = -20;
  walk_gaps(gaps.data() + gaps.size(), 7, 15, &walk);
  EXPECT_EQ(columns, (std::vector<uint32_t>{6, 0, 4}));
  EXPECT_EQ(row_begin, (std::vector<uint32_t>{0, 0, 1, 2, 2}));
  EXPECT_EQ(walk.row, 4u);
  EXPECT_EQ(walk.offset, 5);
}

void ExpectTotals(Add add_gaps) {
  for (const Case& c : Cases()) {
    const std::vector<uint8_t> gaps = Gaps(c);
    const GapTotals totals = add_gaps(gaps.data(), gaps.size(), c.filler);
    uint64_t num_kept = 0, num_zeros = 0;
    for (const uint8_t gap : gaps) {
      num_kept += gap != c.filler;
      num_zeros += gap;
    }
    EXPECT_EQ(totals.num_kept, num_kept);
    EXPECT_EQ(totals.num_zeros, num_zeros);
  }
}

TEST(GapWalk, WalksOnAnyMachine) {
  ExpectWalks(WalkGapsPortable);
  ExpectWalkFromBefore(WalkGapsPortable);
}
TEST(GapWalk, AddsOnAnyMachine) { ExpectTotals(AddGapsPortable); }

#if defined(KERAS_DC_X86_KERNELS)

TEST(GapWalk, WalksWithAvx512) {
  if (!ThisCpu().avx512) GTEST_SKIP();
  ExpectWalks(WalkGapsAvx512);
  ExpectWalkFromBefore(WalkGapsAvx512);
}

TEST(GapWalk, AddsWithAvx512) {
  if (!ThisCpu().avx512) GTEST_SKIP();
  ExpectTotals(AddGapsAvx512);
}

#elif defined(KERAS_DC_NEON_KERNELS)

TEST(GapWalk, WalksWithNeon) {
  ExpectWalks(WalkGapsNeon);
  ExpectWalkFromBefore(WalkGapsNeon);
}

TEST(GapWalk, AddsWithNeon) { ExpectTotals(AddGapsNeon); }

#endif

}  // namespace
}  // namespace keras_dc
