#include "encode/line_classes.h"

#include <algorithm>
#include <cmath>

#include "common/format.h"

namespace keras_dc {
namespace {

constexpr int kMaxRounds = 6;
// The count of a byte that a class does not have: it may come with the next
// line.
constexpr double kUnseenCount = 0.05;

// A number for each byte of each plane.
using Table = std::vector<double>;

size_t TablePlace(size_t item_size, size_t byte_place, uint8_t byte) {
  return byte_place % item_size * kPlaneAlphabet + byte;
}

// Bits that an ideal code for the lines of a class takes for each byte of each
// plane.
Table CostsOf(const PackedNumbers& numbers, size_t line_bytes,
              const std::vector<uint8_t>& classes, uint8_t line_class) {
  Table table(numbers.item_size * kPlaneAlphabet, kUnseenCount);
  for (size_t line = 0; line < classes.size(); ++line) {
    if (classes[line] != line_class) continue;
    const uint8_t* bytes = numbers.data() + line * line_bytes;
    for (size_t i = 0; i < line_bytes; ++i) {
      ++table[TablePlace(numbers.item_size, i, bytes[i])];
    }
  }
  for (size_t begin = 0; begin < table.size(); begin += kPlaneAlphabet) {
    double total = 0;
    for (size_t i = 0; i < kPlaneAlphabet; ++i) total += table[begin + i];
    for (size_t i = 0; i < kPlaneAlphabet; ++i) {
      table[begin + i] = std::log2(total / table[begin + i]);
    }
  }
  return table;
}

// First classes: lines above and below the middle of all magnitudes. The
// magnitude of a line is the sum of its highest bytes without the sign bit.
std::vector<uint8_t> ClassesByMagnitude(const PackedNumbers& numbers,
                                        size_t line_bytes) {
  constexpr uint8_t kMagnitudeMask = 0x7f;
  std::vector<uint64_t> sums(numbers.size() / line_bytes);
  for (size_t line = 0; line < sums.size(); ++line) {
    size_t i = line * line_bytes + numbers.item_size - 1;
    for (; i < (line + 1) * line_bytes; i += numbers.item_size) {
      sums[line] += numbers.data()[i] & kMagnitudeMask;
    }
  }
  const auto ends = std::minmax_element(sums.begin(), sums.end());
  const uint64_t middle = *ends.first + (*ends.second - *ends.first) / 2;
  std::vector<uint8_t> classes;
  for (const uint64_t sum : sums) classes.push_back(sum > middle ? 1 : 0);
  return classes;
}

}  // namespace

std::vector<uint8_t> FindLineClasses(const PackedNumbers& numbers,
                                     size_t line_length) {
  const size_t line_bytes = line_length * numbers.item_size;
  std::vector<uint8_t> classes = ClassesByMagnitude(numbers, line_bytes);
  for (int round = 0; round < kMaxRounds; ++round) {
    const Table costs[2] = {CostsOf(numbers, line_bytes, classes, 0),
                            CostsOf(numbers, line_bytes, classes, 1)};
    const std::vector<uint8_t> before = classes;
    for (size_t line = 0; line < classes.size(); ++line) {
      const uint8_t* bytes = numbers.data() + line * line_bytes;
      double difference = 0;
      for (size_t i = 0; i < line_bytes; ++i) {
        const size_t place = TablePlace(numbers.item_size, i, bytes[i]);
        difference += costs[0][place] - costs[1][place];
      }
      classes[line] = difference > 0 ? 1 : 0;
    }
    if (classes == before) break;
  }
  if (std::count(classes.begin(), classes.end(), classes[0]) ==
      static_cast<std::ptrdiff_t>(classes.size())) {
    classes.clear();
  }
  return classes;
}

std::array<PackedNumbers, 2> SplitByClass(const PackedNumbers& numbers,
                                          size_t line_length,
                                          const std::vector<uint8_t>& classes) {
  std::array<PackedNumbers, 2> parts;
  const size_t line_bytes = line_length * numbers.item_size;
  for (PackedNumbers& part : parts) part.item_size = numbers.item_size;
  for (size_t line = 0; line < classes.size(); ++line) {
    const uint8_t* bytes = numbers.data() + line * line_bytes;
    std::vector<uint8_t>& part = parts[classes[line]].bytes;
    part.insert(part.end(), bytes, bytes + line_bytes);
  }
  return parts;
}

}  // namespace keras_dc
