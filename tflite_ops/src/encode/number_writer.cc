#include "encode/number_writer.h"

#include <algorithm>
#include <cstring>

#include "common/bit_stream.h"
#include "common/format.h"
#include "common/half_float.h"
#include "encode/symbol_encoder.h"

namespace keras_dc {
namespace {

// FORMAT.md, 1.
constexpr uint64_t kMaxVarintBytes = 5;

void AppendBytes(uint64_t number, size_t count, std::vector<uint8_t>* bytes) {
  for (size_t i = 0; i < count; ++i) {
    bytes->push_back(static_cast<uint8_t>(number >> (8 * i)));
  }
}

// Plane 0 holds the highest bytes.
std::vector<uint8_t> PlaneOf(const PackedNumbers& numbers, size_t plane) {
  std::vector<uint8_t> bytes(numbers.count());
  const uint8_t* from = numbers.data() + numbers.item_size - 1 - plane;
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = from[numbers.item_size * i];
  }
  return bytes;
}

std::vector<uint64_t> HistogramOf(const PackedNumbers& numbers, size_t plane) {
  std::vector<uint64_t> histogram(kPlaneAlphabet, 0);
  size_t place = numbers.item_size - 1 - plane;
  const uint8_t* bytes = numbers.data();
  for (; place < numbers.size(); place += numbers.item_size) {
    ++histogram[bytes[place]];
  }
  return histogram;
}

uint64_t CodedPlaneBytes(const std::vector<uint64_t>& histogram,
                         const CodeLengths& lengths, int num_streams) {
  std::vector<uint8_t> table, varint;
  WriteCodeLengths(lengths, &table);
  const uint64_t stream_bytes = (StreamBits(histogram, lengths) + 7) / 8;
  if (num_streams == 1) {
    WriteVarint(stream_bytes, &varint);
    return table.size() + varint.size() + stream_bytes;
  }
  // Each stream begins at a whole byte.
  return table.size() + stream_bytes +
         static_cast<uint64_t>(num_streams) * (kMaxVarintBytes + 1);
}

}  // namespace

PackedNumbers PackPatterns(const std::vector<uint32_t>& patterns,
                           size_t item_size) {
  PackedNumbers numbers;
  numbers.item_size = item_size;
  numbers.bytes.reserve(item_size * patterns.size());
  for (const uint32_t pattern : patterns) {
    AppendBytes(pattern, item_size, &numbers.bytes);
  }
  return numbers;
}

PackedNumbers PackValues(const std::vector<uint32_t>& patterns, int32_t dtype,
                         bool* half_float) {
  std::vector<uint32_t> halves;
  uint16_t half = 0;
  if (dtype == KDC_FLOAT32) {
    for (const uint32_t pattern : patterns) {
      if (!FloatBitsToHalf(pattern, &half)) break;
      halves.push_back(half);
    }
  }
  *half_float = dtype == KDC_FLOAT32 && halves.size() == patterns.size();
  return *half_float ? PackPatterns(halves, sizeof(half))
                     : PackPatterns(patterns, ItemSize(dtype));
}

PackedNumbers PackValuesAt(const uint8_t* values, size_t num_values,
                           int32_t dtype, bool* half_float) {
  const size_t item_size = ItemSize(dtype);
  *half_float = false;
  if (dtype == KDC_FLOAT32) {
    PackedNumbers halves;
    halves.item_size = sizeof(uint16_t);
    uint16_t half = 0;
    size_t i = 0;
    while (i < num_values && FloatBitsToHalf(LoadU32(values + 4 * i), &half)) {
      AppendBytes(half, sizeof(half), &halves.bytes);
      ++i;
    }
    *half_float = i == num_values;
    if (*half_float) return halves;
  }
  PackedNumbers packed;
  packed.item_size = item_size;
  packed.borrowed = values;
  packed.borrowed_size = item_size * num_values;
  return packed;
}

PackedNumbers PackDoubles(const std::vector<double>& numbers) {
  PackedNumbers packed;
  packed.item_size = sizeof(double);
  for (const double number : numbers) {
    uint64_t bits;
    std::memcpy(&bits, &number, sizeof(bits));
    AppendBytes(bits, sizeof(bits), &packed.bytes);
  }
  return packed;
}

PlanePlan PlanPlanes(const PackedNumbers& numbers, int num_streams) {
  PlanePlan plan;
  plan.size_bytes = numbers.size();
  if (numbers.size() == 0) return plan;
  plan.lengths.resize(numbers.item_size);
  uint64_t saved = 0;
  for (size_t plane = 0; plane < numbers.item_size; ++plane) {
    const std::vector<uint64_t> histogram = HistogramOf(numbers, plane);
    CodeLengths lengths = OptimalCodeLengths(histogram);
    const uint64_t coded = CodedPlaneBytes(histogram, lengths, num_streams);
    if (coded >= numbers.count()) continue;
    saved += numbers.count() - coded;
    plan.coded = static_cast<uint8_t>(plan.coded | 1u << plane);
    plan.lengths[plane] = std::move(lengths);
  }
  // The byte that tells which planes are coded must be saved, too.
  if (saved > 1) {
    plan.size_bytes -= saved - 1;
  } else {
    plan.coded = 0;
  }
  return plan;
}

void WriteNumbers(const PackedNumbers& numbers, const PlanePlan& plan,
                  int num_streams, std::vector<uint8_t>* blob) {
  // The streams' lengths, and what follows the numbers.
  constexpr size_t kSlackBytes = 1 << 12;
  blob->reserve(blob->size() + plan.size_bytes + kSlackBytes);
  if (plan.coded == 0) {
    blob->insert(blob->end(), numbers.data(), numbers.data() + numbers.size());
    return;
  }
  blob->push_back(plan.coded);
  for (size_t plane = 0; plane < numbers.item_size; ++plane) {
    std::vector<std::vector<uint8_t>> streams = {PlaneOf(numbers, plane)};
    if ((plan.coded >> plane & 1) != 0) {
      const std::vector<uint8_t> symbols = std::move(streams[0]);
      streams.clear();
      EncodeStreams(symbols, plan.lengths[plane], num_streams, &streams);
      WriteCodeLengths(plan.lengths[plane], blob);
      for (const std::vector<uint8_t>& stream : streams) {
        WriteVarint(stream.size(), blob);
      }
    }
    for (const std::vector<uint8_t>& stream : streams) {
      blob->insert(blob->end(), stream.begin(), stream.end());
    }
  }
}

}  // namespace keras_dc
