#include "common/entry_coder.h"

#include <gtest/gtest.h>

#include <random>

#include "common/range_coder.h"

namespace keras_dc {
namespace {

std::vector<LineEntries> RandomLines(const EntryLayout& layout, double density,
                                     std::mt19937* random) {
  const size_t num_values =
      layout.num_centroids == 0 ? 256 : layout.num_centroids;
  std::vector<LineEntries> lines(static_cast<size_t>(layout.num_lines));
  std::uniform_real_distribution<double> uniform;
  uint32_t symbol = 0;
  for (LineEntries& line : lines) {
    // Some lines and offsets are dead.
    const bool is_dead = layout.has_mask && uniform(*random) < 0.2;
    for (uint32_t o = 0; o < layout.line_length; ++o) {
      if (layout.has_mask &&
          (is_dead || o % 5 == 3 || uniform(*random) >= density)) {
        continue;
      }
      line.offsets.push_back(o);
      for (size_t i = 0; i < layout.num_symbols(); ++i) {
        symbol = (*random)() % 3 == 0
                     ? static_cast<uint32_t>((*random)() % num_values)
                     : static_cast<uint32_t>((symbol + 1) % num_values);
        line.symbols.push_back(static_cast<uint8_t>(symbol));
      }
    }
  }
  return lines;
}

Liveness LivenessOf(const EntryLayout& layout,
                    const std::vector<LineEntries>& lines) {
  Liveness liveness;
  liveness.offsets.assign(static_cast<size_t>(layout.line_length), 0);
  for (const LineEntries& line : lines) {
    liveness.lines.push_back(line.offsets.empty() ? 0 : 1);
    for (const uint32_t offset : line.offsets) liveness.offsets[offset] = 1;
  }
  return liveness;
}

void ExpectRoundTrip(EntryLayout layout, std::vector<LineEntries> lines) {
  layout.num_kept = 0;
  for (const LineEntries& line : lines) layout.num_kept += line.offsets.size();
  std::vector<uint8_t> bytes;
  RangeEncoder encoder(&bytes);
  EntryCoder<RangeEncoder> writer(layout, &encoder, LivenessOf(layout, lines));
  for (LineEntries line : lines) ASSERT_TRUE(writer.CodeLine(&line));
  encoder.Finish();
  RangeDecoder decoder(bytes.data(), bytes.size());
  EntryCoder<RangeDecoder> reader(layout, &decoder);
  LineEntries read;
  for (const LineEntries& line : lines) {
    ASSERT_TRUE(reader.CodeLine(&read));
    EXPECT_EQ(read.offsets, line.offsets);
    EXPECT_EQ(read.symbols, line.symbols);
  }
  EXPECT_EQ(reader.num_coded(), layout.num_kept);
  EXPECT_TRUE(decoder.AtCleanEnd());
}

// Lines, and their length.
constexpr uint64_t kShapes[][2] = {{1, 1},   {1, 2},   {2, 1},
                                   {1, 400}, {400, 1}, {3, 7},
                                   {40, 50}, {9, 333}, {333, 9}};

std::vector<uint64_t> PeriodsOf(uint64_t length) {
  std::vector<uint64_t> periods = {0};
  for (const uint64_t period :
       {uint64_t{1}, uint64_t{2}, uint64_t{3}, length / 2, length - 1}) {
    if (period < length && period != periods.back()) periods.push_back(period);
  }
  return periods;
}

void ExpectRoundTripsOfAllShapes(EntryLayout layout) {
  std::mt19937 random(1);
  for (const auto& shape : kShapes) {
    layout.num_lines = shape[0];
    layout.line_length = shape[1];
    for (const uint64_t period : PeriodsOf(shape[1])) {
      layout.period = period;
      for (const double density : {0.01, 0.3, 0.97}) {
        SCOPED_TRACE(testing::Message()
                     << shape[0] << " x " << shape[1] << " period " << period);
        ExpectRoundTrip(layout, RandomLines(layout, density, &random));
      }
    }
  }
}

TEST(EntryCoder, PositionsAndIndicesOfAllShapesComeBack) {
  for (const bool has_mask_model : {false, true}) {
    for (const size_t num_centroids : {1, 2, 3, 15, 16, 17, 200, 256}) {
      EntryLayout layout;
      layout.has_mask = true;
      layout.has_mask_model = has_mask_model;
      layout.num_centroids = num_centroids;
      ExpectRoundTripsOfAllShapes(layout);
    }
  }
}

TEST(EntryCoder, IndicesOfFullTensorsComeBack) {
  for (const size_t num_centroids : {2, 5, 256}) {
    EntryLayout layout;
    layout.num_centroids = num_centroids;
    ExpectRoundTripsOfAllShapes(layout);
  }
}

TEST(EntryCoder, PlanesOfAllShapesComeBack) {
  for (const size_t num_planes : {0, 1, 2, 4}) {
    for (const bool has_mask : {false, true}) {
      for (const bool is_first : {false, true}) {
        EntryLayout layout;
        layout.has_mask = has_mask;
        layout.has_mask_model = is_first;
        layout.num_planes = num_planes;
        layout.has_highest_plane = is_first && num_planes > 0;
        ExpectRoundTripsOfAllShapes(layout);
      }
    }
  }
}

// Any bytes decode to entries inside their lines, or are refused. To be run
// with the sanitizers.
TEST(EntryCoder, DamagedStreamsStayInside) {
  std::mt19937 random(5);
  for (int round = 0; round < 3000; ++round) {
    EntryLayout layout;
    layout.num_lines = 1 + random() % 9;
    layout.line_length = 1 + random() % 30;
    const uint64_t size = layout.num_lines * layout.line_length;
    layout.has_mask = random() % 3 != 0 && size > 1;
    layout.num_kept = layout.has_mask ? random() % size : size;
    layout.num_centroids = random() % 2 == 0 ? 0 : 1 + random() % 256;
    layout.num_planes = layout.num_centroids == 0 ? random() % 5 : 0;
    layout.has_highest_plane = layout.num_planes > 0 && random() % 2 == 0;
    layout.has_mask_model = random() % 2 == 0;
    layout.period = random() % layout.line_length;
    std::vector<uint8_t> bytes(random() % 60);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    RangeDecoder decoder(bytes.data(), bytes.size());
    EntryCoder<RangeDecoder> reader(layout, &decoder);
    LineEntries line;
    uint64_t num_entries = 0;
    for (uint64_t i = 0; i < layout.num_lines; ++i) {
      if (!reader.CodeLine(&line)) break;
      num_entries += line.offsets.size();
      ASSERT_LE(num_entries, layout.num_kept);
      ASSERT_EQ(num_entries, reader.num_coded());
      ASSERT_EQ(line.symbols.size(),
                line.offsets.size() * layout.num_symbols());
      for (size_t e = 0; e < line.offsets.size(); ++e) {
        ASSERT_LT(line.offsets[e], layout.line_length);
        if (e > 0) {
          ASSERT_LT(line.offsets[e - 1], line.offsets[e]);
        }
        if (layout.num_centroids > 1) {
          ASSERT_LT(line.symbols[e], layout.num_centroids);
        }
      }
    }
  }
}

}  // namespace
}  // namespace keras_dc
