#include "blob_writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "adaptive_model.h"
#include "bit_stream.h"
#include "crc32.h"
#include "format.h"
#include "half_float.h"
#include "range_coder.h"

namespace keras_dc {
namespace {

// With this many entries there are four and eight streams a symbol kind, which
// decode side by side: their sizes then cost less than a byte in a thousand.
constexpr size_t kEntriesForFour = 1 << 14;
constexpr size_t kEntriesForEight = 1 << 16;

// How values, centroids and scales are stored.
struct Storage {
  std::vector<uint32_t> patterns;
  bool half_float = false;
  bool wide = false;
};

int LogStreams(const Draft& draft) {
  if (draft.is_adaptive || draft.num_entries < kEntriesForFour) return 0;
  return draft.num_entries < kEntriesForEight ? 2 : 3;
}

void AppendBytes(uint64_t number, size_t count, std::vector<uint8_t>* bytes) {
  for (size_t i = 0; i < count; ++i) {
    bytes->push_back(static_cast<uint8_t>(number >> (8 * i)));
  }
}

bool AllFloats(const std::vector<double>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](double number) {
    return static_cast<double>(static_cast<float>(number)) == number;
  });
}

std::vector<uint32_t> FloatPatterns(const std::vector<double>& numbers) {
  std::vector<uint32_t> patterns;
  for (const double number : numbers) {
    const auto value = static_cast<float>(number);
    uint32_t pattern;
    std::memcpy(&pattern, &value, sizeof(pattern));
    patterns.push_back(pattern);
  }
  return patterns;
}

bool AllHalfFloats(const std::vector<uint32_t>& patterns) {
  uint16_t half;
  return std::all_of(patterns.begin(), patterns.end(), [&](uint32_t pattern) {
    return FloatBitsToHalf(pattern, &half);
  });
}

Storage ChooseStorage(const Draft& draft, int32_t dtype) {
  Storage storage;
  const bool is_scaled = draft.scale_axis != KDC_NO_SCALE;
  storage.wide =
      is_scaled && !(AllFloats(draft.codebook) && AllFloats(draft.scales));
  storage.patterns = is_scaled ? FloatPatterns(draft.codebook) : draft.patterns;
  storage.half_float = (is_scaled || dtype == KDC_FLOAT32) && !storage.wide &&
                       AllHalfFloats(storage.patterns);
  return storage;
}

void WritePatterns(const Storage& storage, size_t item_size,
                   std::vector<uint8_t>* blob) {
  for (const uint32_t pattern : storage.patterns) {
    uint16_t half = 0;
    if (storage.half_float) FloatBitsToHalf(pattern, &half);
    AppendBytes(storage.half_float ? half : pattern,
                storage.half_float ? sizeof(half) : item_size, blob);
  }
}

void WriteDoubles(const std::vector<double>& numbers,
                  std::vector<uint8_t>* blob) {
  for (const double number : numbers) {
    uint64_t bits;
    std::memcpy(&bits, &number, sizeof(bits));
    AppendBytes(bits, sizeof(bits), blob);
  }
}

// FORMAT.md, 4: the codebook or the values, and the scales.
void WriteValues(const Draft& draft, const Storage& storage, size_t item_size,
                 std::vector<uint8_t>* blob) {
  if (storage.wide) {
    WriteDoubles(draft.codebook, blob);
    WriteDoubles(draft.scales, blob);
    return;
  }
  const bool is_scaled = draft.scale_axis != KDC_NO_SCALE;
  WritePatterns(storage, is_scaled ? sizeof(float) : item_size, blob);
  for (const uint32_t pattern : FloatPatterns(draft.scales)) {
    AppendBytes(pattern, sizeof(pattern), blob);
  }
}

// Appends the streams of `symbols` to `streams`, one vector each.
void EncodeStreams(const std::vector<uint8_t>& symbols,
                   const CodeLengths& lengths, int num_streams,
                   std::vector<std::vector<uint8_t>>* streams) {
  const std::vector<Code> codes = CanonicalCodes(lengths);
  for (int i = 0; i < num_streams; ++i) {
    const SymbolRange range = StreamRange(symbols.size(), num_streams, i);
    std::vector<uint8_t> stream;
    BitWriter writer(&stream);
    for (size_t j = range.begin; j < range.end; ++j) {
      const Code code = codes[symbols[j]];
      writer.Write(code.bits, code.length);
    }
    writer.Flush();
    streams->push_back(std::move(stream));
  }
}

// FORMAT.md, 9: the mask and the indices of the arithmetic coder.
std::vector<uint8_t> EncodeMask(const Draft& draft) {
  std::vector<uint8_t> stream;
  RangeEncoder encoder(&stream);
  MaskModel model(draft.line_length, draft.mask.size(), draft.num_entries,
                  draft.period);
  size_t kept = 0;
  for (size_t i = 0; i < draft.mask.size() && kept < draft.num_entries; ++i) {
    encoder.Encode(draft.mask[i], model.Predict());
    model.Update(draft.mask[i]);
    kept += draft.mask[i];
  }
  encoder.Finish();
  return stream;
}

// The sign of each centroid, by its highest bit.
std::vector<uint8_t> NegativeCentroids(const Draft& draft, int32_t dtype) {
  std::vector<uint8_t> is_negative;
  for (const double centroid : draft.codebook) {
    is_negative.push_back(std::signbit(centroid) ? 1 : 0);
  }
  const size_t highest_bit = 8 * ItemSize(dtype) - 1;
  for (const uint32_t pattern : draft.patterns) {
    is_negative.push_back(static_cast<uint8_t>((pattern >> highest_bit) & 1));
  }
  return is_negative;
}

std::vector<uint8_t> EncodeAdaptiveIndices(const Draft& draft, int32_t dtype) {
  std::vector<uint8_t> stream;
  RangeEncoder encoder(&stream);
  IndexModel model(NegativeCentroids(draft, dtype), draft.line_length,
                   draft.period);
  size_t entry = 0;
  for (size_t i = 0; i < draft.mask.size(); ++i) {
    if (draft.mask[i] == 0) continue;
    const uint8_t index = draft.indices[entry++];
    model.Begin(i / draft.line_length, i % draft.line_length);
    for (int place = model.num_bits() - 1; place >= 0; --place) {
      const int bit = (index >> place) & 1;
      encoder.Encode(bit, model.Predict());
      model.Update(bit);
    }
    model.End();
  }
  encoder.Finish();
  return stream;
}

// FORMAT.md, 3: everything up to the codebook.
void WriteHeader(const Draft& draft, const Storage& storage, int log_streams,
                 int32_t dtype, const int64_t* shape, int32_t rank,
                 std::vector<uint8_t>* blob) {
  blob->assign(kMagic, kMagic + sizeof(kMagic));
  blob->push_back(kVersion);
  const int gap_bits = draft.has_gaps ? draft.gaps.gap_bits : 0;
  blob->push_back(
      static_cast<uint8_t>(dtype | (draft.column_major ? kColumnMajorBit : 0) |
                           gap_bits << kGapBitsShift));
  blob->push_back(static_cast<uint8_t>(
      (draft.has_codebook ? kCodebookBit : 0) |
      (storage.half_float ? kHalfFloatBit : 0) | log_streams << kStreamsShift |
      draft.scale_axis << kScaleAxisShift | (storage.wide ? kWideBit : 0) |
      (draft.is_adaptive ? kAdaptiveBit : 0)));
  blob->push_back(static_cast<uint8_t>(rank));
  for (int i = 0; i < rank; ++i) {
    WriteVarint(static_cast<uint64_t>(shape[i]), blob);
  }
  if (draft.is_adaptive) {
    WriteVarint(draft.num_entries, blob);
    WriteVarint(draft.period, blob);
  } else if (draft.has_gaps) {
    WriteVarint(draft.num_entries, blob);
    WriteVarint(draft.gaps.num_fillers, blob);
  }
  if (draft.has_codebook) {
    blob->push_back(static_cast<uint8_t>(storage.patterns.size() - 1));
  }
}

}  // namespace

std::vector<uint8_t> WriteBlob(const Draft& draft, int32_t dtype,
                               const int64_t* shape, int32_t rank) {
  const Storage storage = ChooseStorage(draft, dtype);
  const int log_streams = LogStreams(draft);
  const int num_streams = 1 << log_streams;
  std::vector<uint8_t> blob;
  WriteHeader(draft, storage, log_streams, dtype, shape, rank, &blob);
  WriteValues(draft, storage, ItemSize(dtype), &blob);

  std::vector<std::vector<uint8_t>> streams;
  const bool has_indices = draft.has_codebook && storage.patterns.size() > 1 &&
                           draft.num_entries > 0;
  if (draft.is_adaptive) {
    if (has_indices) {
      streams.push_back(EncodeAdaptiveIndices(draft, dtype));
    }
    if (draft.num_entries > 0) streams.push_back(EncodeMask(draft));
  } else if (has_indices) {
    WriteCodeLengths(draft.index_lengths, &blob);
    EncodeStreams(draft.indices, draft.index_lengths, num_streams, &streams);
  }
  if (!draft.is_adaptive && draft.has_gaps && draft.num_entries > 0) {
    WriteCodeLengths(draft.gaps.lengths, &blob);
    EncodeStreams(draft.gap_symbols, draft.gaps.lengths, num_streams, &streams);
  }
  for (size_t i = 0; i + 1 < streams.size(); ++i) {
    WriteVarint(streams[i].size(), &blob);
  }
  for (const std::vector<uint8_t>& stream : streams) {
    blob.insert(blob.end(), stream.begin(), stream.end());
  }
  AppendBytes(Crc32(blob.data(), blob.size()), kChecksumBytes, &blob);
  return blob;
}

}  // namespace keras_dc
