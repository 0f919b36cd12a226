#include "decode/position_decoder.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "common/return_if_error.h"
#include "decode/gap_walk.h"
#include "decode/symbol_decoder.h"

namespace keras_dc {
namespace {

// Without gaps every weight is an entry.
void ListAllColumns(const MatrixShape& matrix, uint32_t* row_begin,
                    uint32_t* columns) {
  const auto num_columns = static_cast<size_t>(matrix.columns);
  for (size_t row = 0; row < matrix.rows; ++row) {
    uint32_t* begin = columns + row * num_columns;
    std::iota(begin, begin + num_columns, 0u);
    row_begin[row + 1] = static_cast<uint32_t>((row + 1) * num_columns);
  }
}

// Symbols that are walked at once; then it is checked whether the columns are
// about to reach the symbols.
constexpr size_t kSymbolsAtOnce = 1024;

// Kept weights that must still come, and weights that may.
struct Expected {
  uint64_t num_kept = 0;
  uint64_t num_weights = 0;

  // Subtracts the next symbols; false if they do not fit. Before the last
  // symbols a kept weight must still come: a filler writes to its place.
  bool Take(const GapTotals& totals, bool is_last) {
    const uint64_t num_passed = totals.num_kept + totals.num_zeros;
    if (totals.num_kept > num_kept || num_passed > num_weights) return false;
    num_kept -= totals.num_kept;
    num_weights -= num_passed;
    return is_last == (num_kept == 0);
  }
};

// Decodes the gap symbols, and walks over them from the start of `walk`.
// Symbols are checked just before they are walked, while they are in a cache.
kdc_status WalkAllGaps(const ParsedBlob& blob, uint64_t row_length,
                       GapWalk* walk) {
  // The symbols lie at the end of the memory for columns, which will be written
  // anyway. Only if there are many fillers they do not fit.
  const size_t num_symbols = blob.num_gap_symbols();
  const size_t num_entries = blob.num_entries();
  bool share_memory = num_symbols <= sizeof(uint32_t) * num_entries;
  std::unique_ptr<uint8_t[]> memory;
  if (!share_memory) memory.reset(new uint8_t[num_symbols]);
  uint8_t* symbols =
      share_memory
          ? reinterpret_cast<uint8_t*>(walk->next + num_entries) - num_symbols
          : memory.get();
  KDC_RETURN_IF_ERROR(
      DecodeSymbols(blob.gap_lengths, blob.gap_streams, num_symbols, symbols));
  const uint8_t* end = symbols + num_symbols;
  const uint32_t filler = FillerSymbol(blob.info.gap_bits);
  if (end[-1] == filler) return KDC_BAD_POSITION;
  Expected expected;
  expected.num_kept = num_entries;
  expected.num_weights = static_cast<uint64_t>(blob.info.num_weights);
  walk->gap = symbols;
  while (walk->gap != end) {
    constexpr size_t kRoom =
        sizeof(uint32_t) * (kSymbolsAtOnce + kMaxColumnsBeyond);
    const auto left = static_cast<size_t>(end - walk->gap);
    if (share_memory && walk->gap - reinterpret_cast<uint8_t*>(walk->next) <
                            static_cast<ptrdiff_t>(kRoom)) {
      // The columns have come near the symbols, which are moved away.
      memory.reset(new uint8_t[left]);
      std::copy(walk->gap, end, memory.get());
      walk->gap = memory.get();
      end = walk->gap + left;
      share_memory = false;
    }
    const size_t size = std::min(left, kSymbolsAtOnce);
    const GapTotals totals = AddGaps(walk->gap, size, filler);
    if (!expected.Take(totals, size == left)) return KDC_BAD_POSITION;
    WalkGapsTo(walk->gap + size, row_length, filler, walk);
  }
  return KDC_OK;
}

}  // namespace

kdc_status DecodeGaps(const ParsedBlob& blob, Gaps* gaps) {
  gaps->resize(blob.num_gap_symbols());
  if (gaps->empty()) return KDC_OK;
  KDC_RETURN_IF_ERROR(DecodeSymbols(blob.gap_lengths, blob.gap_streams,
                                    gaps->size(), gaps->data()));
  const uint32_t filler = FillerSymbol(blob.info.gap_bits);
  const GapTotals totals = AddGaps(gaps->data(), gaps->size(), filler);
  const bool fits = gaps->back() != filler &&
                    totals.num_kept == blob.num_entries() &&
                    totals.num_zeros + totals.num_kept <=
                        static_cast<uint64_t>(blob.info.num_weights);
  return fits ? KDC_OK : KDC_BAD_POSITION;
}

kdc_status DecodeRowMajor(const ParsedBlob& blob, uint32_t* row_begin,
                          uint32_t* columns) {
  const MatrixShape matrix = blob.matrix();
  row_begin[0] = 0;
  if (blob.info.gap_bits == 0) {
    ListAllColumns(matrix, row_begin, columns);
    return KDC_OK;
  }
  GapWalk walk;
  walk.next = columns;
  walk.columns = columns;
  walk.columns_end = columns + blob.num_entries();
  walk.row_begin = row_begin;
  if (blob.num_gap_symbols() > 0) {
    KDC_RETURN_IF_ERROR(WalkAllGaps(blob, matrix.columns, &walk));
  }
  size_t row = walk.row;
  while (row < matrix.rows) {
    row_begin[++row] = static_cast<uint32_t>(blob.num_entries());
  }
  return KDC_OK;
}

}  // namespace keras_dc
