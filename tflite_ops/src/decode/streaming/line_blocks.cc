#include "decode/streaming/line_blocks.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/bit_stream.h"
#include "common/return_if_error.h"
#include "decode/position_decoder.h"
#include "decode/stored_values.h"
#include "decode/symbol_reader.h"

namespace keras_dc {

kdc_status LineBlocks::Open(ParsedBlob blob, size_t block_entries) {
  blob_ = std::move(blob);
  if (blob_.is_arithmetic()) return KDC_INVALID_ARGUMENT;
  const kdc_blob_info& info = blob_.info;
  num_lines_ = blob_.num_lines();
  line_length_ = blob_.line_length();
  blocks_.assign(1, Block());
  block_entries = std::max<size_t>(block_entries, 1);
  if (info.gap_bits == 0) {
    IndexLines(block_entries);
  } else {
    KDC_RETURN_IF_ERROR(IndexGaps(block_entries));
  }
  Block end;
  end.first_line = static_cast<size_t>(num_lines_);
  end.first_entry = blob_.num_entries();
  end.first_gap = blob_.num_gap_symbols();
  blocks_.push_back(end);
  KDC_RETURN_IF_ERROR(UnpackLineValues(blob_, &values_));
  std::vector<size_t> firsts;
  for (const Block& block : blocks_) firsts.push_back(block.first_entry);
  if (blob_.has_indices()) {
    return FindBits(blob_.index_lengths, blob_.index_streams,
                    blob_.num_entries(), firsts, &index_bits_);
  }
  const bool has_parts = info.num_centroids == 0 && info.value_planes != 0 &&
                         info.line_classes == 0;
  return has_parts ? planes_.Open(blob_.stored_values, firsts) : KDC_OK;
}

// Without gaps every weight is an entry.
void LineBlocks::IndexLines(size_t block_entries) {
  const auto length = static_cast<size_t>(line_length_);
  if (length == 0) return;
  const size_t lines = (block_entries + length - 1) / length;
  for (size_t line = lines; line < num_lines_; line += lines) {
    Block block;
    block.first_line = line;
    block.first_entry = line * length;
    blocks_.push_back(block);
  }
}

kdc_status LineBlocks::IndexGaps(size_t block_entries) {
  const size_t num_symbols = blob_.num_gap_symbols();
  if (num_symbols == 0) return KDC_OK;
  const auto num_weights = static_cast<uint64_t>(blob_.info.num_weights);
  const uint32_t filler = FillerSymbol(blob_.info.gap_bits);
  SymbolReader reader(blob_.gap_lengths, blob_.gap_streams, num_symbols);
  // What is behind the last kept weight; a block may begin there.
  size_t num_kept = 0, next_gap = 0, next_bit = 0;
  uint64_t next_position = 0;
  // What is behind the last symbol.
  size_t symbol = 0;
  uint64_t position = 0;
  bool is_done = false;
  kdc_status status = reader.NextStream(&is_done);
  while (status == KDC_OK && !is_done) {
    const size_t size =
        std::min(SymbolReader::kChunk, reader.stream_end() - symbol);
    size_t bit = reader.bit();
    KDC_RETURN_IF_ERROR(reader.Read(size));
    const uint8_t* gaps = reader.symbols();
    const GapTotals totals = AddGaps(gaps, size, filler);
    if (num_kept + totals.num_kept <
        blocks_.back().first_entry + block_entries) {
      // No block begins here.
      num_kept += totals.num_kept;
      position += totals.num_zeros + totals.num_kept;
      symbol += size;
      size_t num_fillers = 0;
      while (num_fillers < size && gaps[size - 1 - num_fillers] == filler) {
        ++num_fillers;
      }
      if (num_fillers < size) {
        next_gap = symbol - num_fillers;
        next_bit = reader.bit() - num_fillers * blob_.gap_lengths[filler];
        next_position = position - num_fillers * filler;
      }
    } else {
      for (size_t i = 0; i < size; ++i) {
        ++symbol;
        bit += blob_.gap_lengths[gaps[i]];
        position += gaps[i];
        if (gaps[i] == filler) continue;
        const uint64_t line = position / line_length_;
        if (num_kept >= blocks_.back().first_entry + block_entries &&
            line > (next_position - 1) / line_length_) {
          Block block;
          block.first_line = static_cast<size_t>(line);
          block.first_entry = num_kept;
          block.first_gap = next_gap;
          block.gap_bit = next_bit;
          block.offset = static_cast<int64_t>(next_position) -
                         static_cast<int64_t>(line * line_length_);
          blocks_.push_back(block);
        }
        ++num_kept;
        next_gap = symbol;
        next_bit = bit;
        next_position = ++position;
      }
    }
    if (position > num_weights) return KDC_BAD_POSITION;
    if (symbol < reader.stream_end()) continue;
    status = reader.NextStream(&is_done);
    if (next_gap == symbol) next_bit = 0;
  }
  KDC_RETURN_IF_ERROR(status);
  return num_kept == blob_.num_entries() && next_gap == num_symbols
             ? KDC_OK
             : KDC_BAD_POSITION;
}

LineBlocks::Tables LineBlocks::MakeTables() const {
  Tables tables;
  if (blob_.info.gap_bits != 0 && blob_.num_gap_symbols() > 0) {
    tables.gaps.emplace(blob_.gap_lengths, blob_.num_gap_symbols());
  }
  if (blob_.has_indices()) {
    tables.indices.emplace(blob_.index_lengths, blob_.num_entries());
  }
  if (planes_.is_open()) tables.planes = MakePlaneTables(blob_.stored_values);
  return tables;
}

kdc_status LineBlocks::DecodeOffsets(const Tables& tables, const Block& begin,
                                     const Block& end, Scratch* scratch,
                                     SparseRows* lines) const {
  const size_t num_lines = end.first_line - begin.first_line;
  const size_t num_entries = end.first_entry - begin.first_entry;
  const size_t num_gaps = end.first_gap - begin.first_gap;
  lines->row_begin.resize(num_lines + 1);
  lines->columns.resize(num_entries);
  if (blob_.info.gap_bits == 0) {
    for (size_t line = 0; line <= num_lines; ++line) {
      lines->row_begin[line] = static_cast<uint32_t>(line * line_length_);
    }
    for (size_t i = 0; i < num_entries; i += line_length_) {
      const auto first =
          lines->columns.begin() + static_cast<std::ptrdiff_t>(i);
      std::iota(first, first + static_cast<std::ptrdiff_t>(line_length_), 0u);
    }
    return KDC_OK;
  }
  if (num_gaps == 0) {
    std::fill(lines->row_begin.begin(), lines->row_begin.end(), 0u);
    return KDC_OK;
  }
  scratch->gaps.resize(num_gaps);
  const uint8_t* gaps = scratch->gaps.data();
  KDC_RETURN_IF_ERROR(tables.gaps->Run(&scratch->lanes));
  const uint32_t filler = FillerSymbol(blob_.info.gap_bits);
  const GapTotals totals = AddGaps(gaps, num_gaps, filler);
  int64_t first = begin.offset;
  for (size_t i = 0; i < num_gaps; ++i) {
    first += gaps[i];
    if (gaps[i] != filler) break;
  }
  const auto num_weights = static_cast<int64_t>(num_lines * line_length_);
  const bool fits =
      totals.num_kept == num_entries && gaps[num_gaps - 1] != filler &&
      first >= 0 &&
      begin.offset + static_cast<int64_t>(totals.num_zeros + num_entries) <=
          num_weights;
  if (!fits) return KDC_BAD_POSITION;
  WalkGaps(gaps, gaps + num_gaps, filler, line_length_, begin.offset, num_lines,
           num_entries, lines->row_begin.data(), lines->columns.data());
  return KDC_OK;
}

kdc_status LineBlocks::Decode(const Tables& tables, size_t begin, size_t end,
                              Scratch* scratch, SparseRows* lines) const {
  const kdc_blob_info& info = blob_.info;
  const size_t first_entry = blocks_[begin].first_entry;
  const size_t num_entries = blocks_[end].first_entry - first_entry;
  const size_t first_line = blocks_[begin].first_line;
  const size_t num_lines = blocks_[end].first_line - first_line;
  lines->dtype = static_cast<kdc_dtype>(info.dtype);
  lines->num_rows = static_cast<int64_t>(num_lines);
  lines->num_columns = static_cast<int64_t>(line_length_);

  // The symbols of a block are a lane.
  std::vector<SymbolLane>* lanes = &scratch->lanes;
  lanes->clear();
  if (tables.gaps) {
    const size_t first_gap = blocks_[begin].first_gap;
    scratch->gaps.resize(blocks_[end].first_gap - first_gap);
    for (size_t i = begin; i < end; ++i) {
      AddLanes(blob_.gap_streams, blob_.num_gap_symbols(), blocks_[i].first_gap,
               blocks_[i + 1].first_gap, blocks_[i].gap_bit,
               scratch->gaps.data() + (blocks_[i].first_gap - first_gap),
               lanes);
    }
  }
  KDC_RETURN_IF_ERROR(
      DecodeOffsets(tables, blocks_[begin], blocks_[end], scratch, lines));

  lines->indices.resize(info.num_centroids == 0 ? 0 : num_entries);
  lanes->clear();
  if (tables.indices) {
    for (size_t i = begin; i < end; ++i) {
      AddLanes(blob_.index_streams, blob_.num_entries(), blocks_[i].first_entry,
               blocks_[i + 1].first_entry, index_bits_[i],
               lines->indices.data() + (blocks_[i].first_entry - first_entry),
               lanes);
    }
    KDC_RETURN_IF_ERROR(tables.indices->Run(lanes));
  } else {
    std::fill(lines->indices.begin(), lines->indices.end(), uint8_t{0});
  }
  if (!planes_.is_open()) {
    FillValues(blob_, values_, first_line, first_entry, lines);
    return KDC_OK;
  }
  KDC_RETURN_IF_ERROR(planes_.Decode(blob_.stored_values, tables.planes, begin,
                                     end, &lines->values));
  AsItems(blob_, &lines->values);
  return KDC_OK;
}

}  // namespace keras_dc
