#include "decode/symbol_lanes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "common/bit_stream.h"
#include "common/cpu.h"
#include "common/huffman.h"
#include "decode/symbol_decoder.h"
#include "decode/symbol_lanes_impl.h"

namespace keras_dc {
namespace {

constexpr size_t kStreams = 8;

// Symbols of a geometric distribution. The slower it falls, the longer are the
// codes.
std::vector<uint8_t> Symbols(size_t count, double ratio, uint32_t alphabet) {
  std::mt19937 random(11);
  std::geometric_distribution<uint32_t> geometric(1 - ratio);
  std::vector<uint8_t> symbols(count);
  for (uint8_t& symbol : symbols) {
    symbol = static_cast<uint8_t>(std::min(geometric(random), alphabet - 1));
  }
  // Every symbol of the alphabet occurs.
  for (uint32_t s = 0; s < alphabet; ++s) {
    symbols[s] = static_cast<uint8_t>(s);
  }
  return symbols;
}

CodeLengths LengthsOf(const std::vector<uint8_t>& symbols, uint32_t alphabet) {
  std::vector<uint64_t> histogram(alphabet);
  for (const uint8_t symbol : symbols) ++histogram[symbol];
  return OptimalCodeLengths(histogram);
}

std::vector<uint8_t> Encode(const std::vector<uint8_t>& symbols,
                            const CodeLengths& lengths) {
  const std::vector<Code> codes = CanonicalCodes(lengths);
  std::vector<uint8_t> bytes;
  BitWriter writer(&bytes);
  for (const uint8_t s : symbols) writer.Write(codes[s].bits, codes[s].length);
  writer.Flush();
  // No spare memory, so that a sanitizer finds a read past the end.
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

struct Case {
  double ratio;
  uint32_t alphabet;
};
constexpr Case kCases[] = {{0.5, 2},    {0.5, 4},    {0.7, 16}, {0.9, 31},
                           {0.97, 128}, {0.98, 256}, {0.3, 256}};

// Runs eight streams of different lengths. Checks that each lane has written
// its symbols, and nothing else.
template <typename Run>
void ExpectSymbols(Run run) {
  constexpr uint8_t kUntouched = 0xee;
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.alphabet);
    const std::vector<uint8_t> symbols = Symbols(3000, c.ratio, c.alphabet);
    const CodeLengths lengths = LengthsOf(symbols, c.alphabet);
    const std::vector<SymbolEntry> table =
        MakeSymbolTable(lengths, kMaxTableBits);
    std::vector<std::vector<uint8_t>> inputs, decoded, streams;
    std::vector<SymbolLane> lanes(kStreams);
    for (size_t i = 0; i < kStreams; ++i) {
      inputs.emplace_back(symbols.begin() + static_cast<ptrdiff_t>(37 * i),
                          symbols.end());
      streams.push_back(Encode(inputs[i], lengths));
      decoded.emplace_back(inputs[i].size() + 8, kUntouched);
    }
    for (size_t i = 0; i < kStreams; ++i) {
      lanes[i].bytes = streams[i].data();
      lanes[i].size = streams[i].size();
      lanes[i].out = decoded[i].data();
      lanes[i].out_end = lanes[i].out + inputs[i].size();
    }
    run(table.data(), &lanes);
    for (size_t i = 0; i < kStreams; ++i) {
      const auto count = lanes[i].out - decoded[i].data();
      ASSERT_LE(static_cast<size_t>(count), inputs[i].size());
      // The run ends when the shortest stream comes near its end.
      EXPECT_GT(static_cast<size_t>(count), inputs[i].size() / 2);
      EXPECT_TRUE(std::equal(decoded[i].begin(), decoded[i].begin() + count,
                             inputs[i].begin()));
      size_t bits = 0;
      for (ptrdiff_t s = 0; s < count; ++s) {
        bits += lengths[inputs[i][static_cast<size_t>(s)]];
      }
      EXPECT_EQ(lanes[i].bit, bits);
      EXPECT_EQ(std::count(decoded[i].end() - 8, decoded[i].end(), kUntouched),
                8);
    }
  }
}

size_t SafeRounds(const std::vector<SymbolLane>& lanes) {
  size_t rounds = lanes[0].SafeRounds();
  for (const SymbolLane& lane : lanes) {
    rounds = std::min(rounds, lane.SafeRounds());
  }
  return rounds;
}

template <typename RunRounds>
void ExpectRounds(RunRounds run_rounds) {
  ExpectSymbols([&](const SymbolEntry* table, std::vector<SymbolLane>* lanes) {
    while (const size_t rounds = SafeRounds(*lanes)) {
      run_rounds(table, kMaxTableBits, lanes->data(), lanes->size(), rounds);
    }
  });
}

TEST(SymbolLanes, RunOnAnyMachine) {
  ExpectRounds([](auto... arguments) { RunAllLanes(arguments...); });
}

#if defined(KERAS_DC_X86_KERNELS)

TEST(SymbolLanes, RunWithBmi2) {
  if (!ThisCpu().bmi2) GTEST_SKIP();
  ExpectRounds(RunLanesBmi2);
}

TEST(SymbolLanes, RunWithVbmi2) {
  if (!ThisCpu().vbmi2) GTEST_SKIP();
  ExpectSymbols([](const SymbolEntry* table, std::vector<SymbolLane>* lanes) {
    RunEightLanesVbmi2(table, kMaxTableBits, lanes->data());
  });
}

TEST(SymbolLanes, DoNotBeginWithVbmi2WhereStreamsAreShort) {
  if (!ThisCpu().vbmi2) GTEST_SKIP();
  const std::vector<uint8_t> stream(33);
  std::vector<uint8_t> out(63);
  std::vector<SymbolLane> lanes(kStreams);
  for (SymbolLane& lane : lanes) {
    lane.bytes = stream.data();
    lane.size = stream.size();
    lane.out = out.data();
    lane.out_end = lane.out + out.size();
  }
  RunEightLanesVbmi2(nullptr, kMaxTableBits, lanes.data());
  for (const SymbolLane& lane : lanes) EXPECT_EQ(lane.out, out.data());
}

#endif

TEST(SymbolTable, HoldsTheSymbolsThatFit) {
  for (const Case& c : kCases) {
    const CodeLengths lengths =
        LengthsOf(Symbols(3000, c.ratio, c.alphabet), c.alphabet);
    const std::vector<Code> codes = CanonicalCodes(lengths);
    const int longest = *std::max_element(lengths.begin(), lengths.end());
    for (const int num_bits : {longest, kMaxTableBits}) {
      SCOPED_TRACE(testing::Message() << c.alphabet << ", " << num_bits);
      const std::vector<SymbolEntry> table = MakeSymbolTable(lengths, num_bits);
      ASSERT_EQ(table.size(), size_t{1} << num_bits);
      for (size_t pattern = 0; pattern < table.size(); ++pattern) {
        uint32_t count = 0, end = 0, symbols = 0;
        for (bool fits = true; fits && count < kMaxSymbolsPerEntry;) {
          fits = false;
          for (size_t s = 0; s < codes.size() && !fits; ++s) {
            const uint32_t length = codes[s].length;
            const size_t mask = (size_t{1} << length) - 1;
            fits = length != 0 && end + length <= uint32_t(num_bits) &&
                   (pattern >> end & mask) == codes[s].bits;
            if (!fits) continue;
            symbols |= static_cast<uint32_t>(s) << 8 * count++;
            end += length;
          }
        }
        const uint32_t counted = (uint32_t{1} << 8 * count) - 1;
        ASSERT_EQ(EntryCount(table[pattern]), count) << pattern;
        ASSERT_EQ(EntryBits(table[pattern]), end) << pattern;
        ASSERT_EQ(EntrySymbols(table[pattern]) & counted, symbols) << pattern;
      }
    }
  }
}

}  // namespace
}  // namespace keras_dc
