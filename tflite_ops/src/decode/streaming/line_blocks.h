// A blob in blocks of whole lines (rows, or columns in a scan by columns). Any
// block can be decoded by itself: the Huffman streams are read once to find the
// places at which blocks begin, and these places are kept.
//
// Several blocks are decoded together as several lanes of the symbol decoder,
// as the streams of a whole blob are.
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
  // Decoders of the blob's codes. They are made when they are needed, and serve
  // all threads.
  struct Tables {
    std::optional<SymbolDecoder> gaps;
    std::optional<SymbolDecoder> indices;
    PlaneTables planes;
  };
  // Scratch memory of one thread.
  struct Scratch {
    std::vector<uint8_t> gaps;
    std::vector<SymbolLane> lanes;
  };

  // Takes a blob that ReadBlob has read, and checks its streams; its bytes must
  // outlive this. A block has as few lines as hold `block_entries` entries; the
  // last block has what is left. KDC_INVALID_ARGUMENT for a blob of the
  // arithmetic coder. May throw std::bad_alloc.
  kdc_status Open(ParsedBlob blob, size_t block_entries);

  const ParsedBlob& blob() const { return blob_; }
  bool is_by_rows() const { return blob_.is_by_rows(); }
  uint64_t line_length() const { return line_length_; }
  size_t num_blocks() const { return blocks_.size() - 1; }
  // Where block `i` begins; for num_blocks(), where the last one ends.
  size_t first_line(size_t i) const { return blocks_[i].first_line; }
  size_t first_entry(size_t i) const { return blocks_[i].first_entry; }

  Tables MakeTables() const;

  // Decodes the blocks [begin, end). Their lines become the rows of `lines`.
  // Checks what it decodes, since the bytes may have changed after Open. May
  // throw std::bad_alloc.
  kdc_status Decode(const Tables& tables, size_t begin, size_t end,
                    Scratch* scratch, SparseRows* lines) const;

 private:
  struct Block {
    size_t first_line = 0;
    size_t first_entry = 0;
    // The first gap symbol, the bit at which it begins in its stream, and the
    // offset in the first line at which its gap begins; negative if it begins
    // before the line.
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
  // The blocks, and one that marks the end.
  std::vector<Block> blocks_;
  // The bit at which the first index of each block begins in its stream.
  std::vector<size_t> index_bits_;
  PlaneParts planes_;
  LineValues values_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_STREAMING_LINE_BLOCKS_H_
