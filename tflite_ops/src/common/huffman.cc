#include "common/huffman.h"

#include <algorithm>
#include <array>

#include "common/code_table.h"

namespace keras_dc {
namespace {

int ToTable(uint8_t length) { return length == 0 ? kAbsentLength : length; }

void WriteRun(uint32_t run, BitWriter* writer) {
  int extra_bits = 0;
  while ((run >> (extra_bits + 1)) != 0) ++extra_bits;
  writer->Write(uint32_t{1} << extra_bits, extra_bits + 1);
  writer->Write(run - (uint32_t{1} << extra_bits), extra_bits);
}

// Writes the rank of a step among +1, -1, +2, -2, ... in unary.
void WriteStep(int step, BitWriter* writer) {
  const int rank = step > 0 ? 2 * (step - 1) : 2 * (-step - 1) + 1;
  writer->Write((uint32_t{1} << rank) - 1, rank + 1);
}

size_t CountPresent(const CodeLengths& lengths) {
  return lengths.size() -
         static_cast<size_t>(std::count(lengths.begin(), lengths.end(), 0));
}

// An item of package-merge: a symbol, or a pair of items of the level before.
struct Item {
  uint64_t weight = 0;
  int symbol = -1;
  size_t first = 0;
};

void CountSymbols(const std::vector<std::vector<Item>>& levels, size_t level,
                  size_t item_index, CodeLengths* lengths) {
  const Item& item = levels[level][item_index];
  if (item.symbol >= 0) {
    ++(*lengths)[static_cast<size_t>(item.symbol)];
    return;
  }
  CountSymbols(levels, level - 1, item.first, lengths);
  CountSymbols(levels, level - 1, item.first + 1, lengths);
}

}  // namespace

CodeLengths OptimalCodeLengths(const std::vector<uint64_t>& histogram) {
  CodeLengths lengths(histogram.size(), 0);
  std::vector<Item> symbols;
  for (size_t i = 0; i < histogram.size(); ++i) {
    if (histogram[i] == 0) continue;
    Item item;
    item.weight = histogram[i];
    item.symbol = static_cast<int>(i);
    symbols.push_back(item);
  }
  if (symbols.empty()) return lengths;
  if (symbols.size() == 1) {
    lengths[static_cast<size_t>(symbols[0].symbol)] = 1;
    return lengths;
  }
  const auto lighter = [](const Item& a, const Item& b) {
    return a.weight < b.weight;
  };
  std::stable_sort(symbols.begin(), symbols.end(), lighter);
  std::vector<std::vector<Item>> levels{symbols};
  for (int level = 1; level < kMaxCodeLength; ++level) {
    const std::vector<Item>& previous = levels.back();
    std::vector<Item> packages;
    for (size_t i = 0; i + 1 < previous.size(); i += 2) {
      Item package;
      package.weight = previous[i].weight + previous[i + 1].weight;
      package.first = i;
      packages.push_back(package);
    }
    std::vector<Item> merged;
    std::merge(symbols.begin(), symbols.end(), packages.begin(), packages.end(),
               std::back_inserter(merged), lighter);
    levels.push_back(std::move(merged));
  }
  for (size_t i = 0; i < 2 * (symbols.size() - 1); ++i) {
    CountSymbols(levels, levels.size() - 1, i, &lengths);
  }
  return lengths;
}

std::vector<Code> CanonicalCodes(const CodeLengths& lengths) {
  std::vector<Code> codes(lengths.size());
  if (CountPresent(lengths) < 2) return codes;
  std::array<uint32_t, kMaxCodeLength + 2> next{};
  for (const uint8_t length : lengths) {
    if (length != 0) ++next[length + 1u];
  }
  // next[l] becomes the first code of length l.
  uint32_t code = 0;
  for (size_t length = 1; length <= kMaxCodeLength; ++length) {
    code = (code + next[length]) << 1;
    next[length] = code;
  }
  for (size_t symbol = 0; symbol < lengths.size(); ++symbol) {
    const uint8_t length = lengths[symbol];
    if (length == 0) continue;
    const uint32_t value = next[length]++;
    uint32_t reversed = 0;
    for (int bit = 0; bit < length; ++bit) {
      reversed |= ((value >> bit) & 1) << (length - 1 - bit);
    }
    codes[symbol] = {static_cast<uint16_t>(reversed), length};
  }
  return codes;
}

uint64_t StreamBits(const std::vector<uint64_t>& histogram,
                    const CodeLengths& lengths) {
  if (CountPresent(lengths) < 2) return 0;
  uint64_t bits = 0;
  for (size_t i = 0; i < histogram.size(); ++i) {
    bits += histogram[i] * lengths[i];
  }
  return bits;
}

void WriteCodeLengths(const CodeLengths& lengths, std::vector<uint8_t>* bytes) {
  BitWriter writer(bytes);
  int length = ToTable(lengths[0]);
  writer.Write(static_cast<uint32_t>(length), kFirstLengthBits);
  for (size_t begin = 0; begin < lengths.size();) {
    size_t end = begin + 1;
    while (end < lengths.size() && lengths[end] == lengths[begin]) ++end;
    WriteRun(static_cast<uint32_t>(end - begin), &writer);
    if (end < lengths.size()) {
      const int following = ToTable(lengths[end]);
      WriteStep(following - length, &writer);
      length = following;
    }
    begin = end;
  }
  writer.Flush();
}

}  // namespace keras_dc
