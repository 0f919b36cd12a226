// Decodes the positions of the entries, from gaps (FORMAT.md, 4): those of a
// Huffman-coded blob.
#ifndef KERAS_DC_SRC_DECODE_POSITION_DECODER_H_
#define KERAS_DC_SRC_DECODE_POSITION_DECODER_H_

#include <cstddef>
#include <cstdint>

#include "common/format.h"
#include "common/return_if_error.h"
#include "common/scratch_vector.h"
#include "decode/blob_reader.h"
#include "decode/gap_walk.h"

namespace keras_dc {

using Gaps = ScratchVector<uint8_t>;

// Decodes the gap symbols. Checks that they keep as many weights as the header
// says, that the last one is no filler, and that they stay inside the tensor: a
// walk over them then needs no checks.
kdc_status DecodeGaps(const ParsedBlob& blob, Gaps* gaps);

// Decodes a scan by rows to a row start for each row and one more, and a column
// for each entry.
kdc_status DecodeRowMajor(const ParsedBlob& blob, uint32_t* row_begin,
                          uint32_t* columns);

// Calls `visit(line, offset)` for each entry in scan order. A line is a row, or
// a column in a scan by columns, of `line_length` weights; `offset` is the
// entry's place in it.
template <typename Visit>
kdc_status WalkPositions(const ParsedBlob& blob, uint64_t line_length,
                         Visit visit) {
  uint64_t line = 0, offset = 0;
  if (blob.info.gap_bits == 0) {
    for (size_t i = 0; i < blob.num_entries(); ++i) {
      visit(line, offset);
      if (++offset == line_length) {
        offset = 0;
        ++line;
      }
    }
    return KDC_OK;
  }
  Gaps gaps;
  KDC_RETURN_IF_ERROR(DecodeGaps(blob, &gaps));
  const uint32_t filler = FillerSymbol(blob.info.gap_bits);
  for (const uint8_t gap : gaps) {
    offset += gap;
    if (gap == filler) continue;
    while (offset >= line_length) {
      offset -= line_length;
      ++line;
    }
    visit(line, offset);
    ++offset;
  }
  return KDC_OK;
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_POSITION_DECODER_H_
