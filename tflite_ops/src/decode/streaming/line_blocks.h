// A blob in blocks of whole lines (rows, or columns in a scan by columns), any
// of which can be decoded by itself: Huffman streams are read once to find out
// where the blocks begin in them, and only these places are kept.
//
// A range of several blocks has as many places to begin at, and so keeps
// several lanes of the symbol decoder busy, as a whole blob does.
#ifndef KERAS_DC_SRC_DECODE_STREAMING_LINE_BLOCKS_H_
#define KERAS_DC_SRC_DECODE_STREAMING_LINE_BLOCKS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/format.h"
#include "common/sparse_rows.h"
#include "decode/blob_reader.h"
#include "decode/plane_parts.h"
#include "decode/stored_values.h"
#include "decode/symbol_decoder.h"
#include "keras_dc/codec.h"

namespace keras_dc {

class LineBlocks {
 public:
  // What decoding needs beside the blob: the tables of its codes, which are
  // made for a while and serve all threads.
  struct Tables {
    std::optional<SymbolDecoder> gaps;
    std::optional<SymbolDecoder> indices;
    PlaneTables planes;
  };
  // Memory of one thread.
  struct Scratch {
    std::vector<uint8_t> gaps;
    std::vector<SymbolLane> lanes;
  };

  // Checks the streams of a blob that ReadBlob has read; its bytes must outlive
  // this. A block has as few lines as hold `block_entries` entries, the last
  // one what is left. KDC_INVALID_ARGUMENT for a blob of the arithmetic coder.
  // May throw std::bad_alloc.
  kdc_status Open(ParsedBlob blob, size_t block_entries);

  const ParsedBlob& blob() const { return blob_; }
  bool is_by_rows() const { return blob_.is_by_rows(); }
  uint64_t line_length() const { return line_length_; }
  size_t num_blocks() const { return blocks_.size() - 1; }
  // Of block `i`, or behind the last one.
  size_t first_line(size_t i) const { return blocks_[i].first_line; }
  size_t first_entry(size_t i) const { return blocks_[i].first_entry; }

  Tables MakeTables() const;

  // Decodes the blocks [begin, end): the lines become the rows of `lines`.
  // Checks what it decodes, in case that the blob has changed since. May throw
  // std::bad_alloc.
  kdc_status Decode(const Tables& tables, size_t begin, size_t end,
                    Scratch* scratch, SparseRows* lines) const;

 private:
  struct Block {
    size_t first_line = 0;
    size_t first_entry = 0;
    // The first gap symbol, the bit at which it begins in its stream, and where
    // its gap begins in the first line: before it, if negative.
    size_t first_gap = 0;
    size_t gap_bit = 0;
    int64_t offset = 0;
  };

  void IndexLines(size_t block_entries);
  kdc_status IndexGaps(size_t block_entries);
  kdc_status DecodeOffsets(const Tables& tables, const Block& begin,
                           const Block& end, Scratch* scratch,
                           SparseRows* lines) const;
  ParsedBlob blob_;
  uint64_t num_lines_ = 0;
  uint64_t line_length_ = 0;
  // One more behind the last.
  std::vector<Block> blocks_;
  // The bit at which the first index of each begins in its stream.
  std::vector<size_t> index_bits_;
  PlaneParts planes_;
  LineValues values_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_STREAMING_LINE_BLOCKS_H_
