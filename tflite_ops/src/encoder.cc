#include "encoder.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "bit_stream.h"
#include "crc32.h"
#include "format.h"
#include "gap_plan.h"
#include "half_float.h"
#include "huffman.h"
#include "palette.h"

namespace keras_dc {
namespace {

// From this many entries on there are four streams a symbol kind: their sizes
// then cost less than one byte in a thousand, and they decode side by side.
constexpr size_t kManyEntries = 1 << 14;
constexpr int kLogManyStreams = 2;

// Rows decode straight to the kernels' form and columns must be sorted first,
// so columns are taken where they save one part in this many.
constexpr uint64_t kMinColumnSaving = 256;

// What one blob is made of. `patterns` are the codebook if `has_codebook`,
// otherwise the values themselves, in scan order.
struct Draft {
  bool has_codebook = false;
  bool has_gaps = false;
  bool column_major = false;
  std::vector<uint32_t> patterns;
  std::vector<uint8_t> indices;
  CodeLengths index_lengths;
  GapPlan gaps;
  std::vector<uint8_t> gap_symbols;
};

bool AllHalfFloats(const std::vector<uint32_t>& patterns) {
  uint16_t half;
  return std::all_of(patterns.begin(), patterns.end(), [&](uint32_t pattern) {
    return FloatBitsToHalf(pattern, &half);
  });
}

void WritePatterns(const std::vector<uint32_t>& patterns, size_t item_size,
                   bool half_float, std::vector<uint8_t>* blob) {
  for (uint32_t pattern : patterns) {
    if (half_float) {
      uint16_t half;
      FloatBitsToHalf(pattern, &half);
      pattern = half;
    }
    const size_t bytes = half_float ? 2 : item_size;
    for (size_t i = 0; i < bytes; ++i) {
      blob->push_back(static_cast<uint8_t>(pattern >> (8 * i)));
    }
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

void AppendU32(uint32_t value, std::vector<uint8_t>* bytes) {
  for (int shift = 0; shift < 32; shift += 8) {
    bytes->push_back(static_cast<uint8_t>(value >> shift));
  }
}

// FORMAT.md, 3 to 7, in this order.
std::vector<uint8_t> WriteBlob(const Draft& draft, int32_t dtype,
                               const int64_t* shape, int32_t rank,
                               size_t num_entries) {
  const int log_streams = num_entries >= kManyEntries ? kLogManyStreams : 0;
  const bool half_float = dtype == KDC_FLOAT32 && AllHalfFloats(draft.patterns);
  std::vector<uint8_t> blob(kMagic, kMagic + sizeof(kMagic));
  blob.push_back(kVersion);
  const int gap_bits = draft.has_gaps ? draft.gaps.gap_bits : 0;
  blob.push_back(
      static_cast<uint8_t>(dtype | gap_bits << kGapBitsShift |
                           (draft.column_major ? kColumnMajorBit : 0)));
  blob.push_back(static_cast<uint8_t>((draft.has_codebook ? kCodebookBit : 0) |
                                      (half_float ? kHalfFloatBit : 0) |
                                      log_streams << kStreamsShift));
  blob.push_back(static_cast<uint8_t>(rank));
  for (int i = 0; i < rank; ++i) {
    WriteVarint(static_cast<uint64_t>(shape[i]), &blob);
  }
  if (draft.has_gaps) {
    WriteVarint(num_entries, &blob);
    WriteVarint(draft.gaps.num_fillers, &blob);
  }
  if (draft.has_codebook) {
    blob.push_back(static_cast<uint8_t>(draft.patterns.size() - 1));
  }
  WritePatterns(draft.patterns, ItemSize(dtype), half_float, &blob);

  std::vector<std::vector<uint8_t>> streams;
  const int num_streams = 1 << log_streams;
  if (draft.has_codebook && draft.patterns.size() > 1) {
    WriteCodeLengths(draft.index_lengths, &blob);
    EncodeStreams(draft.indices, draft.index_lengths, num_streams, &streams);
  }
  if (draft.has_gaps && num_entries > 0) {
    WriteCodeLengths(draft.gaps.lengths, &blob);
    EncodeStreams(draft.gap_symbols, draft.gaps.lengths, num_streams, &streams);
  }
  for (size_t i = 0; i + 1 < streams.size(); ++i) {
    WriteVarint(streams[i].size(), &blob);
  }
  for (const std::vector<uint8_t>& stream : streams) {
    blob.insert(blob.end(), stream.begin(), stream.end());
  }
  AppendU32(Crc32(blob.data(), blob.size()), &blob);
  return blob;
}

uint32_t PatternAt(const uint8_t* values, size_t item_size, size_t index) {
  uint32_t pattern = 0;
  std::memcpy(&pattern, values + item_size * index, item_size);
  return pattern;
}

// Bits of a codebook, its table and its index streams.
uint64_t CodebookBits(const std::vector<uint64_t>& counts, size_t item_size,
                      const CodeLengths& lengths) {
  std::vector<uint8_t> table;
  if (counts.size() > 1) WriteCodeLengths(lengths, &table);
  return 8 * (item_size * counts.size() + table.size()) +
         StreamBits(counts, lengths);
}

// With gaps: only the kept weights are coded, and where they are.
struct GapDraft {
  Draft draft;
  uint64_t size_bits = 0;
};

GapDraft DraftWithGaps(const Palette& palette, const uint8_t* values,
                       size_t item_size, const MatrixShape& matrix) {
  GapDraft result;
  Draft& draft = result.draft;
  draft.has_gaps = true;
  const std::vector<uint32_t>* positions = &palette.positions;
  draft.gaps = PlanGaps(palette.positions);
  std::vector<uint32_t> by_column, order;
  if (matrix.rows > 1 && matrix.columns > 1) {
    by_column = ColumnMajorPositions(palette.positions, matrix, &order);
    GapPlan plan = PlanGaps(by_column);
    if (plan.size_bits + plan.size_bits / kMinColumnSaving <
        draft.gaps.size_bits) {
      draft.gaps = std::move(plan);
      draft.column_major = true;
      positions = &by_column;
    }
  }
  draft.gap_symbols = GapSymbols(*positions, draft.gaps.gap_bits);
  result.size_bits = draft.gaps.size_bits;

  const size_t num_kept = palette.positions.size();
  const uint64_t raw_bits = uint64_t{8} * item_size * num_kept;
  draft.index_lengths = OptimalCodeLengths(palette.counts);
  const uint64_t codebook_bits =
      CodebookBits(palette.counts, item_size, draft.index_lengths);
  draft.has_codebook = !palette.patterns.empty() && codebook_bits < raw_bits;
  result.size_bits += draft.has_codebook ? codebook_bits : raw_bits;
  const auto kept_at = [&](size_t i) {
    return draft.column_major ? order[i] : i;
  };
  if (draft.has_codebook) {
    draft.patterns = palette.patterns;
    draft.indices.resize(num_kept);
    for (size_t i = 0; i < num_kept; ++i) {
      draft.indices[i] = palette.indices[kept_at(i)];
    }
  } else {
    draft.patterns.resize(num_kept);
    for (size_t i = 0; i < num_kept; ++i) {
      draft.patterns[i] =
          PatternAt(values, item_size, palette.positions[kept_at(i)]);
    }
  }
  return result;
}

// Without gaps: every weight is coded, and zero is a centroid like others.
struct PlainCode {
  bool possible = false;
  std::vector<uint64_t> counts;  // zero's count is last
  CodeLengths lengths;
  uint64_t size_bits = 0;
};

PlainCode PlanWithoutGaps(const Palette& palette, size_t num_weights,
                          size_t item_size) {
  PlainCode plain;
  const uint64_t num_zeros = num_weights - palette.positions.size();
  plain.counts = palette.counts;
  if (num_zeros > 0) plain.counts.push_back(num_zeros);
  plain.possible = !palette.patterns.empty() &&
                   plain.counts.size() <= static_cast<size_t>(kMaxCentroids);
  if (!plain.possible) return plain;
  plain.lengths = OptimalCodeLengths(plain.counts);
  plain.size_bits = CodebookBits(plain.counts, item_size, plain.lengths);
  return plain;
}

Draft DraftWithoutGaps(const Palette& palette, PlainCode plain,
                       size_t num_weights) {
  Draft draft;
  draft.has_codebook = true;
  draft.patterns = palette.patterns;
  if (plain.counts.size() > draft.patterns.size()) draft.patterns.push_back(0);
  draft.index_lengths = std::move(plain.lengths);
  const auto zero = static_cast<uint8_t>(plain.counts.size() - 1);
  draft.indices.assign(num_weights, zero);
  for (size_t i = 0; i < palette.positions.size(); ++i) {
    draft.indices[palette.positions[i]] = palette.indices[i];
  }
  return draft;
}

Draft DraftRaw(const uint8_t* values, size_t num_weights, size_t item_size) {
  Draft draft;
  draft.patterns.resize(num_weights);
  for (size_t i = 0; i < num_weights; ++i) {
    draft.patterns[i] = PatternAt(values, item_size, i);
  }
  return draft;
}

kdc_status CountWeights(const int64_t* shape, int32_t rank,
                        uint64_t* num_weights) {
  if (rank < 0 || rank > KDC_MAX_RANK || (rank > 0 && shape == nullptr)) {
    return KDC_INVALID_ARGUMENT;
  }
  *num_weights = 1;
  for (int i = 0; i < rank; ++i) {
    if (shape[i] < 0) return KDC_INVALID_ARGUMENT;
    const auto dim = static_cast<uint64_t>(shape[i]);
    if (dim > kMaxWeights) return KDC_TOO_LARGE;
    if (dim != 0 && *num_weights > kMaxWeights / dim) return KDC_TOO_LARGE;
    *num_weights *= dim;
  }
  return KDC_OK;
}

kdc_status EncodeOrThrow(const void* values, int32_t dtype,
                         const int64_t* shape, int32_t rank,
                         std::vector<uint8_t>* blob) {
  const size_t item_size = ItemSize(dtype);
  if (item_size == 0) return KDC_INVALID_ARGUMENT;
  uint64_t num_weights = 0;
  const kdc_status status = CountWeights(shape, rank, &num_weights);
  if (status != KDC_OK) return status;
  if (values == nullptr && num_weights > 0) return KDC_INVALID_ARGUMENT;

  const auto* bytes = static_cast<const uint8_t*>(values);
  const Palette palette = FindPalette(values, num_weights, item_size);
  GapDraft with_gaps = DraftWithGaps(palette, bytes, item_size,
                                     AsMatrix(shape, rank, num_weights));
  PlainCode plain = PlanWithoutGaps(palette, num_weights, item_size);
  const uint64_t raw_bits = uint64_t{8} * item_size * num_weights;
  Draft draft;
  if (plain.possible && plain.size_bits <= with_gaps.size_bits &&
      plain.size_bits < raw_bits) {
    draft = DraftWithoutGaps(palette, std::move(plain), num_weights);
  } else if (with_gaps.size_bits < raw_bits) {
    draft = std::move(with_gaps.draft);
  } else {
    draft = DraftRaw(bytes, num_weights, item_size);
  }
  const size_t num_entries =
      draft.has_gaps ? palette.positions.size() : num_weights;
  *blob = WriteBlob(draft, dtype, shape, rank, num_entries);
  return KDC_OK;
}

}  // namespace

kdc_status Encode(const void* values, int32_t dtype, const int64_t* shape,
                  int32_t rank, std::vector<uint8_t>* blob) {
  try {
    return EncodeOrThrow(values, dtype, shape, rank, blob);
  } catch (const std::bad_alloc&) {
    return KDC_OUT_OF_MEMORY;
  }
}

size_t EncodeBound(int64_t num_weights, int32_t dtype, int32_t rank) {
  const size_t item_size = ItemSize(dtype);
  if (item_size == 0 || num_weights < 0 || rank < 0 || rank > KDC_MAX_RANK ||
      static_cast<uint64_t>(num_weights) > kMaxWeights) {
    return 0;
  }
  // Values as they are, and a header: magic, layout, coding and rank; a varint
  // a dimension and for the counts; the sizes of all streams but one; the
  // checksum. Other layouts are only taken when they are smaller, up to the few
  // bytes of their counts.
  constexpr size_t kVarintBytes = 5;
  const size_t num_varints =
      static_cast<size_t>(rank) + 3 + 2 * static_cast<size_t>(kMaxStreams);
  return item_size * static_cast<size_t>(num_weights) + kMagicBytes + 3 +
         kVarintBytes * num_varints + kChecksumBytes;
}

}  // namespace keras_dc
