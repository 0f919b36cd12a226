#include "position_decoder.h"

#include <algorithm>
#include <numeric>

#include "cpu.h"
#include "positions_avx512.h"
#include "symbol_decoder.h"

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

constexpr ptrdiff_t kSymbolsAtRowEnd = 16;

void WalkAvx512(uint64_t row_length, uint32_t filler, GapWalk* walk) {
#if defined(KERAS_DC_X86_KERNELS)
  WalkRowAvx512(row_length, filler, walk);
#else
  static_cast<void>(row_length);
  static_cast<void>(filler);
  static_cast<void>(walk);
#endif
}

// Fillers come at random: a branch on them would be mispredicted. So all
// symbols write, a filler where the next kept weight will (there is one, since
// the last symbol is none), and only the ends of rows branch. (Flat positions
// first and rows in a second pass were slower.)
void WalkSymbols(uint64_t row_length, uint32_t filler, const uint8_t* stop,
                 const uint32_t* columns, uint32_t* row_begin, size_t* row,
                 GapWalk* walk) {
  const auto length = static_cast<int64_t>(row_length);
  const uint8_t* symbol = walk->gap;
  uint32_t* next = walk->next;
  int64_t offset = walk->offset;
  for (; symbol != stop; ++symbol) {
    const uint32_t gap = *symbol;
    const uint32_t is_kept = gap != filler;
    offset += gap;
    if (offset >= length && is_kept != 0) {
      for (; offset >= length; offset -= length) {
        row_begin[++*row] = static_cast<uint32_t>(next - columns);
      }
    }
    *next = static_cast<uint32_t>(offset);
    next += is_kept;
    offset += is_kept;
  }
  walk->gap = symbol;
  walk->next = next;
  walk->offset = offset;
}

}  // namespace

GapTotals AddGaps(const uint8_t* gaps, size_t size, uint32_t filler) {
#if defined(KERAS_DC_X86_KERNELS)
  if (UsableCpuFeatures().avx512) {
    return AddGapsAvx512(gaps, size, static_cast<uint8_t>(filler));
  }
#endif
  // Sums of 32 bits, which vectors hold more of, over blocks that cannot
  // overflow them.
  constexpr size_t kBlock = size_t{1} << 20;
  GapTotals totals;
  for (size_t begin = 0; begin < size; begin += kBlock) {
    const uint8_t* block = gaps + begin;
    const size_t block_size = std::min(kBlock, size - begin);
    uint32_t num_kept = 0, num_zeros = 0;
    for (size_t i = 0; i < block_size; ++i) {
      num_kept += block[i] != filler;
      num_zeros += block[i];
    }
    totals.num_kept += num_kept;
    totals.num_zeros += num_zeros;
  }
  return totals;
}

void WalkGaps(const uint8_t* begin, const uint8_t* end, uint32_t filler,
              uint64_t row_length, int64_t offset, size_t num_rows,
              size_t num_kept, uint32_t* row_begin, uint32_t* columns) {
  GapWalk walk;
  walk.gap = begin;
  walk.end = end;
  walk.next = columns;
  walk.columns_end = columns + num_kept;
  walk.offset = offset;
  row_begin[0] = 0;
  size_t row = 0;
  const bool has_avx512 = UsableCpuFeatures().avx512;
  while (walk.gap != walk.end) {
    // The end of a row, and what is left at the end, go symbol by symbol.
    if (has_avx512) WalkAvx512(row_length, filler, &walk);
    const uint8_t* stop = walk.end;
    if (has_avx512) {
      stop = walk.gap + std::min(kSymbolsAtRowEnd, walk.end - walk.gap);
    }
    WalkSymbols(row_length, filler, stop, columns, row_begin, &row, &walk);
  }
  while (row < num_rows) row_begin[++row] = static_cast<uint32_t>(num_kept);
}

kdc_status DecodeGaps(const ParsedBlob& blob, Gaps* gaps) {
  gaps->resize(blob.num_gap_symbols());
  if (gaps->empty()) return KDC_OK;
  const kdc_status status = DecodeSymbols(blob.gap_lengths, blob.gap_streams,
                                          gaps->size(), gaps->data());
  if (status != KDC_OK) return status;
  const uint32_t filler = FillerSymbol(blob.info.gap_bits);
  const GapTotals totals = AddGaps(gaps->data(), gaps->size(), filler);
  const bool fits = gaps->back() != filler &&
                    totals.num_kept == blob.num_entries() &&
                    totals.num_zeros + totals.num_kept <=
                        static_cast<uint64_t>(blob.info.num_weights);
  return fits ? KDC_OK : KDC_BAD_POSITION;
}

kdc_status DecodeRowMajor(const ParsedBlob& blob, const MatrixShape& matrix,
                          uint32_t* row_begin, uint32_t* columns) {
  row_begin[0] = 0;
  if (blob.is_adaptive()) {
    uint64_t row = 0;
    uint32_t entry = 0;
    const kdc_status status = WalkPositions(
        blob, matrix.columns, [&](uint64_t line, uint64_t offset) {
          while (row < line) row_begin[++row] = entry;
          columns[entry++] = static_cast<uint32_t>(offset);
        });
    while (row < matrix.rows) row_begin[++row] = entry;
    return status;
  }
  if (blob.info.gap_bits == 0) {
    ListAllColumns(matrix, row_begin, columns);
    return KDC_OK;
  }
  Gaps gaps;
  const kdc_status status = DecodeGaps(blob, &gaps);
  if (status != KDC_OK) return status;
  WalkGaps(gaps.data(), gaps.data() + gaps.size(),
           FillerSymbol(blob.info.gap_bits), matrix.columns, 0,
           static_cast<size_t>(matrix.rows), blob.num_entries(), row_begin,
           columns);
  return KDC_OK;
}

}  // namespace keras_dc
