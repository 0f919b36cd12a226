#include "encode/encoder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/bit_stream.h"
#include "common/format.h"
#include "common/huffman.h"
#include "common/return_if_error.h"
#include "encode/blob_writer.h"
#include "encode/draft.h"
#include "encode/palette.h"
#include "encode/value_draft.h"

namespace keras_dc {
namespace {

// With more entries the size of a codebook hardly counts, and indices take
// fewer bits than the values do: values without a codebook are not tried.
constexpr size_t kMostEntriesWithoutCodebook = 1 << 16;

// Of more values than this, with a zero at less than one place in so many, gaps
// are not tried: they could save little, and take several times the memory.
constexpr size_t kMostValuesToTry = 1 << 23;
constexpr size_t kFewestPlacesForAZero = 64;

// Whether the kept weights and their positions may take less than all values
// do. Without zeros they take no less.
bool AreGapsTried(const KeptCount& count, size_t num_weights) {
  if (count.has_palette) return true;
  const size_t num_zeros = num_weights - count.num_kept;
  return num_zeros > 0 && (num_weights <= kMostValuesToTry ||
                           num_zeros > num_weights / kFewestPlacesForAZero);
}

// Size in bits of a codebook, its code table and its index streams.
uint64_t CodebookBits(const std::vector<uint32_t>& patterns,
                      const std::vector<uint64_t>& counts, int32_t dtype,
                      const CodeLengths& lengths) {
  std::vector<uint8_t> table;
  if (counts.size() > 1) WriteCodeLengths(lengths, &table);
  return CentroidBits(patterns, dtype) + 8 * table.size() +
         StreamBits(counts, lengths);
}

// With gaps: the kept weights and their positions are coded.
Draft DraftWithGaps(const Palette& palette, const uint8_t* values,
                    int32_t dtype, const MatrixShape& matrix,
                    uint64_t* size_bits) {
  const size_t item_size = ItemSize(dtype);
  Draft draft;
  std::vector<uint32_t> order;
  DraftPositions(palette, matrix, &draft, &order);
  *size_bits = draft.gaps.size_bits;
  uint64_t codebook_bits = std::numeric_limits<uint64_t>::max();
  if (!palette.patterns.empty()) {
    DraftIndices(palette, order, &draft);
    codebook_bits = CodebookBits(palette.patterns, palette.counts, dtype,
                                 draft.index_lengths);
    draft.patterns = palette.patterns;
    if (draft.num_entries > kMostEntriesWithoutCodebook) {
      *size_bits += codebook_bits;
      return draft;
    }
  }
  std::vector<uint32_t> patterns(draft.num_entries);
  for (size_t i = 0; i < draft.num_entries; ++i) {
    const size_t kept = order.empty() ? i : order[i];
    patterns[i] = PatternAt(values, item_size, palette.positions[kept]);
  }
  const uint64_t value_bits = ValueBits(patterns, dtype);
  if (value_bits <= codebook_bits) {
    draft.has_codebook = false;
    draft.patterns = std::move(patterns);
  }
  *size_bits += std::min(value_bits, codebook_bits);
  return draft;
}

// Without gaps: every weight is coded, and zero is a centroid like any other.
struct PlainCode {
  bool possible = false;
  std::vector<uint32_t> patterns;  // zero is last
  std::vector<uint64_t> counts;
  CodeLengths lengths;
  uint64_t size_bits = 0;
};

PlainCode PlanWithoutGaps(const Palette& palette, size_t num_weights,
                          int32_t dtype) {
  PlainCode plain;
  const uint64_t num_zeros = num_weights - palette.positions.size();
  plain.patterns = palette.patterns;
  plain.counts = palette.counts;
  if (num_zeros > 0) {
    plain.patterns.push_back(0);
    plain.counts.push_back(num_zeros);
  }
  plain.possible = !palette.patterns.empty() &&
                   plain.counts.size() <= static_cast<size_t>(kMaxCentroids);
  if (!plain.possible) return plain;
  plain.lengths = OptimalCodeLengths(plain.counts);
  plain.size_bits =
      CodebookBits(plain.patterns, plain.counts, dtype, plain.lengths);
  return plain;
}

Draft DraftWithoutGaps(const Palette& palette, PlainCode plain,
                       size_t num_weights) {
  Draft draft;
  draft.num_entries = num_weights;
  draft.has_codebook = true;
  draft.patterns = std::move(plain.patterns);
  draft.index_lengths = std::move(plain.lengths);
  const auto zero = static_cast<uint8_t>(plain.counts.size() - 1);
  draft.indices.assign(num_weights, zero);
  for (size_t i = 0; i < palette.positions.size(); ++i) {
    draft.indices[palette.positions[i]] = palette.indices[i];
  }
  return draft;
}

}  // namespace

kdc_status Encode(const void* values, int32_t dtype, const int64_t* shape,
                  int32_t rank, int32_t zero_point,
                  std::vector<uint8_t>* blob) {
  const size_t item_size = ItemSize(dtype);
  if (item_size == 0) return KDC_INVALID_ARGUMENT;
  uint64_t num_weights = 0;
  KDC_RETURN_IF_ERROR(CountWeights(shape, rank, &num_weights));
  if (values == nullptr && num_weights > 0) return KDC_INVALID_ARGUMENT;

  const auto* bytes = static_cast<const uint8_t*>(values);
  std::vector<uint8_t> from_zero;
  if (zero_point != 0) {
    if (dtype != KDC_INT8 || zero_point < -128 || zero_point > 127) {
      return KDC_INVALID_ARGUMENT;
    }
    from_zero.assign(bytes, bytes + num_weights);
    for (uint8_t& byte : from_zero) {
      byte = static_cast<uint8_t>(byte - zero_point);
    }
    bytes = from_zero.data();
  }
  if (dtype == KDC_INT4 &&
      std::any_of(bytes, bytes + num_weights,
                  [](uint8_t b) { return b >= 8 && b < 0xf8; })) {
    return KDC_INVALID_ARGUMENT;
  }
  const MatrixShape matrix = AsMatrix(shape, rank, num_weights);
  const KeptCount count = CountKept(bytes, num_weights, item_size);
  if (!AreGapsTried(count, num_weights)) {
    uint64_t value_bits = 0;
    Draft draft = DraftValues(bytes, num_weights, dtype, matrix, &value_bits);
    draft.zero_point = zero_point;
    *blob = WriteBlob(draft, dtype, shape, rank);
    return KDC_OK;
  }
  const Palette palette =
      FindPalette(bytes, num_weights, item_size, count.num_kept);
  uint64_t gap_bits = 0;
  Draft draft = DraftWithGaps(palette, bytes, dtype, matrix, &gap_bits);
  PlainCode plain = PlanWithoutGaps(palette, num_weights, dtype);
  if (plain.possible && plain.size_bits <= gap_bits) {
    gap_bits = plain.size_bits;
    draft = DraftWithoutGaps(palette, std::move(plain), num_weights);
  }
  // Kernels compute from sparse float32 blobs, which therefore keep their gaps.
  const bool is_for_kernels =
      dtype == KDC_FLOAT32 && 2 * palette.positions.size() < num_weights;
  if (!is_for_kernels &&
      !(draft.has_codebook && num_weights > kMostEntriesWithoutCodebook)) {
    uint64_t value_bits = 0;
    Draft values_draft =
        DraftValues(bytes, num_weights, dtype, matrix, &value_bits);
    if (value_bits <= gap_bits) draft = std::move(values_draft);
  }
  draft.zero_point = zero_point;
  *blob = WriteBlob(draft, dtype, shape, rank);
  return KDC_OK;
}

}  // namespace keras_dc
