#include "encode/entry_writer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "common/bit_stream.h"
#include "common/entry_coder.h"
#include "common/format.h"
#include "common/range_coder.h"
#include "encode/blob_writer.h"

namespace keras_dc {
namespace {

// With as many entries, lines are divided among streams. Each stream learns
// anew, which takes some 300 bytes.
constexpr size_t kEntriesForStreams = 1 << 19;
constexpr int kMaxLogStreams = 3;
constexpr size_t kLinesOfAStream = 4;

// What a plane must save before it is coded, in bytes: what is learned anew.
constexpr double kLeastSaving = 64;

uint64_t NumberAt(const PackedNumbers& numbers, size_t i) {
  uint64_t number = 0;
  for (size_t j = numbers.item_size; j-- > 0;) {
    number = number << 8 | numbers.bytes[numbers.item_size * i + j];
  }
  return number;
}

bool HasFloats(const EntryDraft& draft) {
  return draft.scale_axis != KDC_NO_SCALE ||
         (draft.dtype != KDC_INT8 && draft.dtype != KDC_INT4);
}

// log2 of the number of streams.
int LogStreamsOf(const EntryDraft& draft) {
  int log_streams = 0;
  while (log_streams < kMaxLogStreams &&
         draft.num_entries() >> log_streams >= kEntriesForStreams &&
         draft.num_lines() >> log_streams >= 2 * kLinesOfAStream) {
    ++log_streams;
  }
  return log_streams;
}

double Entropy(const std::vector<uint32_t>& counts, size_t begin, size_t size) {
  double bits = 0;
  double total = 0;
  for (size_t i = begin; i < begin + size; ++i) {
    if (counts[i] == 0) continue;
    total += counts[i];
    bits -= counts[i] * std::log2(static_cast<double>(counts[i]));
  }
  return total == 0 ? 0 : bits + total * std::log2(total);
}

// The planes that get smaller by being coded, bit 0 that of the highest bytes.
// The highest bits of a byte are known from the byte before, if that is coded.
uint8_t PlanesToCode(const PackedNumbers& numbers) {
  constexpr size_t kHighValues = 8;
  const size_t size = numbers.item_size;
  const size_t count = numbers.count();
  unsigned coded = 0;
  size_t last_coded = size;
  for (size_t plane = 0; plane < size; ++plane) {
    const size_t place = size - 1 - plane;
    std::vector<uint32_t> counts(256, 0), high(256 * kHighValues, 0);
    for (size_t i = 0; i < count; ++i) {
      const uint8_t byte = numbers.bytes[size * i + place];
      const uint8_t before =
          last_coded == size ? uint8_t{0}
                             : numbers.bytes[size * i + size - 1 - last_coded];
      ++counts[byte];
      ++high[kHighValues * before + byte / (256 / kHighValues)];
    }
    double bits = 0, low_bits = Entropy(counts, 0, 256);
    std::vector<uint32_t> top(kHighValues, 0);
    for (size_t i = 0; i < 256; ++i) top[i / (256 / kHighValues)] += counts[i];
    low_bits -= Entropy(top, 0, kHighValues);
    for (size_t before = 0; before < 256; ++before) {
      bits += Entropy(high, kHighValues * before, kHighValues);
    }
    const double saved = static_cast<double>(count) - (bits + low_bits) / 8;
    if (saved < kLeastSaving) continue;
    coded |= 1u << plane;
    last_coded = plane;
  }
  return static_cast<uint8_t>(coded);
}

int PopCount(unsigned bits) {
  int count = 0;
  for (; bits != 0; bits &= bits - 1) ++count;
  return count;
}

EntryLayout LayoutOf(const EntryDraft& draft, uint8_t coded_planes) {
  EntryLayout layout;
  layout.num_lines = draft.num_lines();
  layout.line_length = draft.line_length;
  layout.num_kept = draft.num_entries();
  layout.has_mask = draft.num_entries() < draft.num_weights();
  layout.num_centroids = draft.has_codebook ? draft.numbers.count() : 0;
  layout.num_planes = static_cast<size_t>(PopCount(coded_planes));
  layout.has_highest_plane = (coded_planes & 1) != 0;
  layout.has_mask_model = draft.has_mask_model;
  layout.period = draft.period;
  return layout;
}

Liveness LivenessOf(const EntryDraft& draft, size_t begin, size_t end) {
  Liveness liveness;
  liveness.offsets.assign(draft.line_length, 0);
  for (size_t line = begin; line < end; ++line) {
    const size_t first = draft.line_begin[line];
    const size_t last = draft.line_begin[line + 1];
    liveness.lines.push_back(first < last ? 1 : 0);
    for (size_t i = first; i < last; ++i) {
      liveness.offsets[draft.offsets[i]] = 1;
    }
  }
  return liveness;
}

// Codes lines [begin, end) as one stream.
std::vector<uint8_t> EncodeLines(const EntryDraft& draft, uint8_t coded_planes,
                                 size_t begin, size_t end) {
  EntryLayout layout = LayoutOf(draft, coded_planes);
  layout.num_lines = end - begin;
  layout.num_kept = draft.line_begin[end] - draft.line_begin[begin];
  std::vector<uint8_t> stream;
  RangeEncoder encoder(&stream);
  EntryCoder<RangeEncoder> coder(layout, &encoder,
                                 LivenessOf(draft, begin, end));
  const size_t item_size = draft.numbers.item_size;
  LineEntries line;
  for (size_t i = begin; i < end; ++i) {
    const auto first = static_cast<ptrdiff_t>(draft.line_begin[i]);
    const auto last = static_cast<ptrdiff_t>(draft.line_begin[i + 1]);
    line.offsets.assign(draft.offsets.begin() + first,
                        draft.offsets.begin() + last);
    if (draft.has_codebook) {
      line.symbols.assign(draft.indices.begin() + first,
                          draft.indices.begin() + last);
    } else {
      line.symbols.clear();
      for (auto entry = static_cast<size_t>(first);
           entry < static_cast<size_t>(last); ++entry) {
        for (size_t plane = 0; plane < item_size; ++plane) {
          if ((coded_planes >> plane & 1) == 0) continue;
          line.symbols.push_back(
              draft.numbers.bytes[item_size * (entry + 1) - 1 - plane]);
        }
      }
    }
    coder.CodeLine(&line);
  }
  encoder.Finish();
  return stream;
}

void WriteBits(uint64_t bits, int count, BitWriter* writer) {
  const int low = std::min(count, 32);
  writer->Write(static_cast<uint32_t>(bits & ((uint64_t{1} << low) - 1)), low);
  if (count > 32) writer->Write(static_cast<uint32_t>(bits >> 32), count - 32);
}

int BitLength(uint64_t number) {
  return number == 0 ? 0 : 64 - static_cast<int>(LeadingZeros(number));
}

// FORMAT.md, 4: numbers in ascending order.
void WriteAscending(const PackedNumbers& numbers, bool are_floats,
                    std::vector<uint8_t>* blob) {
  const int num_bits = static_cast<int>(8 * numbers.item_size);
  std::vector<uint64_t> differences;
  uint64_t first = 0, before = 0;
  for (size_t i = 0; i < numbers.count(); ++i) {
    const uint64_t number =
        OrderOfBits(NumberAt(numbers, i), numbers.item_size, are_floats);
    if (i == 0) {
      first = number;
    } else {
      differences.push_back(number - before - 1);
    }
    before = number;
  }
  const auto size_of = [&](int order) {
    int bits = 0;
    for (const uint64_t difference : differences) {
      bits += 2 * BitLength((difference >> order) + 1) - 1 + order;
    }
    return bits;
  };
  int best = 0;
  for (int order = 1; order < num_bits; ++order) {
    if (size_of(order) < size_of(best)) best = order;
  }
  blob->push_back(static_cast<uint8_t>(best));
  BitWriter writer(blob);
  WriteBits(first, num_bits, &writer);
  for (const uint64_t difference : differences) {
    const uint64_t high = (difference >> best) + 1;
    const int length = BitLength(high) - 1;
    WriteBits(0, length, &writer);
    WriteBits(1, 1, &writer);
    WriteBits(high & ((uint64_t{1} << length) - 1), length, &writer);
    WriteBits(difference & ((uint64_t{1} << best) - 1), best, &writer);
  }
  writer.Flush();
}

// FORMAT.md, 4: the planes that are not coded.
void WriteRawPlanes(const PackedNumbers& numbers, uint8_t coded_planes,
                    std::vector<uint8_t>* blob) {
  for (size_t plane = 0; plane < numbers.item_size; ++plane) {
    if ((coded_planes >> plane & 1) != 0) continue;
    size_t place = numbers.item_size - 1 - plane;
    for (; place < numbers.bytes.size(); place += numbers.item_size) {
      blob->push_back(numbers.bytes[place]);
    }
  }
}

}  // namespace

void SortCodebook(EntryDraft* draft) {
  const PackedNumbers& numbers = draft->numbers;
  const size_t count = numbers.count();
  const bool are_floats = HasFloats(*draft);
  std::vector<uint64_t> orders(count);
  for (size_t i = 0; i < count; ++i) {
    orders[i] =
        OrderOfBits(NumberAt(numbers, i), numbers.item_size, are_floats);
  }
  std::vector<size_t> by_order(count);
  std::iota(by_order.begin(), by_order.end(), size_t{0});
  std::sort(by_order.begin(), by_order.end(),
            [&](size_t a, size_t b) { return orders[a] < orders[b]; });
  PackedNumbers sorted;
  sorted.item_size = numbers.item_size;
  std::array<uint8_t, kMaxCentroids> place{};
  for (size_t i = 0; i < count; ++i) {
    const size_t old = by_order[i];
    if (i == 0 || orders[old] != orders[by_order[i - 1]]) {
      const auto begin = numbers.bytes.begin() +
                         static_cast<ptrdiff_t>(numbers.item_size * old);
      sorted.bytes.insert(sorted.bytes.end(), begin,
                          begin + static_cast<ptrdiff_t>(numbers.item_size));
    }
    place[old] = static_cast<uint8_t>(sorted.count() - 1);
  }
  draft->numbers = std::move(sorted);
  for (uint8_t& index : draft->indices) index = place[index];
}

size_t SampleBytes(const EntryDraft& draft, size_t num_weights) {
  const size_t lines = draft.line_length == 0
                           ? draft.num_lines()
                           : num_weights / draft.line_length + 1;
  const uint8_t planes =
      draft.has_codebook ? uint8_t{0} : PlanesToCode(draft.numbers);
  const size_t end = std::min(lines, draft.num_lines());
  // What stands before the streams counts, too.
  const size_t raw_bytes =
      draft.has_codebook
          ? draft.numbers.bytes.size()
          : draft.line_begin[end] * (draft.numbers.item_size -
                                     static_cast<size_t>(PopCount(planes)));
  return raw_bytes + EncodeLines(draft, planes, 0, end).size();
}

std::vector<uint8_t> WriteEntryBlob(const EntryDraft& draft) {
  const uint8_t coded_planes =
      draft.has_codebook ? uint8_t{0} : PlanesToCode(draft.numbers);
  const PlanePlan scale_planes = PlanPlanes(draft.scales, 1);
  const int log_streams = LogStreamsOf(draft);
  const bool has_mask = draft.num_entries() < draft.num_weights();
  BlobHeader header;
  header.layout = static_cast<uint8_t>(
      draft.dtype | (draft.column_major ? kColumnMajorBit : 0));
  header.coding = static_cast<uint8_t>(
      (draft.has_codebook ? kCodebookBit : 0) |
      (draft.half_float ? kHalfFloatBit : 0) | log_streams << kStreamsShift |
      draft.scale_axis << kScaleAxisShift | (draft.wide ? kWideBit : 0) |
      kArithmeticBit);
  header.rank = static_cast<uint8_t>(
      draft.shape.size() | (scale_planes.coded != 0 ? kScalePlanesBit : 0));
  std::vector<uint8_t> blob;
  header.zero_point = draft.zero_point;
  WriteBlobHeader(header, draft.shape.data(), &blob);
  WriteVarint(draft.num_entries(), &blob);
  blob.push_back(static_cast<uint8_t>(
      (has_mask && draft.has_mask_model ? kMaskModelBit : 0) |
      coded_planes << kCodedPlanesShift));
  WriteVarint(draft.period, &blob);
  if (draft.has_codebook) {
    blob.push_back(static_cast<uint8_t>(draft.numbers.count() - 1));
    WriteAscending(draft.numbers, HasFloats(draft), &blob);
  } else {
    WriteRawPlanes(draft.numbers, coded_planes, &blob);
  }
  WriteNumbers(draft.scales, scale_planes, 1, &blob);

  const int num_streams = 1 << log_streams;
  std::vector<std::vector<uint8_t>> streams;
  for (int i = 0; i < num_streams; ++i) {
    const SymbolRange lines = StreamRange(draft.num_lines(), num_streams, i);
    streams.push_back(EncodeLines(draft, coded_planes, lines.begin, lines.end));
    if (has_mask && i + 1 < num_streams) {
      WriteVarint(draft.line_begin[lines.end] - draft.line_begin[lines.begin],
                  &blob);
    }
  }
  AppendStreams(streams, &blob);
  AppendChecksum(&blob);
  return blob;
}

}  // namespace keras_dc
