// Decodes a Huffman-coded blob line by line, in the caller's memory alone.
//
// Which bytes a blob has is known to blob_header and blob_parts, which serve
// the large decoder, too.
#ifndef KERAS_DC_SRC_DECODE_SMALL_SMALL_DECODER_H_
#define KERAS_DC_SRC_DECODE_SMALL_SMALL_DECODER_H_

#include <cstddef>
#include <cstdint>

#include "decode/blob_header.h"
#include "decode/small/arena.h"
#include "decode/small/number_cursor.h"
#include "decode/small/symbol_cursor.h"
#include "keras_dc/codec.h"

namespace keras_dc {

class SmallDecoder {
 public:
  // Reads all parts but the streams; the object lies before the memory that
  // `arena` gives.
  kdc_status Open(const uint8_t* bytes, size_t size, Arena arena);

  const ParsedHeader& header() const { return header_; }
  uint32_t num_lines() const { return num_lines_; }
  uint32_t line_length() const { return line_length_; }
  uint32_t line() const { return line_; }
  kdc_status status() const { return status_; }

  // Writes the weights of the next line, each `stride` bytes behind the one
  // before. After the last one, checks that all streams end. After an error,
  // the same error comes again.
  kdc_status NextLine(uint8_t* weights, size_t stride);

 private:
  kdc_status ReadValues(ByteReader* reader, Arena* arena);
  kdc_status ReadCodes(ByteReader* reader, Arena* arena);
  kdc_status ReadStreams(ByteReader* reader);
  kdc_status DecodeLine(uint8_t* weights, size_t stride);
  kdc_status DecodeWeight(uint32_t offset, uint8_t* weight);
  // Finds the next kept weight.
  kdc_status FindNext();
  kdc_status Finish();

  ParsedHeader header_;
  kdc_status status_ = KDC_OK;
  uint32_t num_lines_ = 0;
  uint32_t line_length_ = 0;
  uint32_t line_ = 0;

  // Positions, if there are gaps. The next kept weight lies at `next_kept_` of
  // the scan, and the gap behind it begins at `position_`.
  SymbolCursor* gaps_ = nullptr;
  uint32_t num_gaps_left_ = 0;
  uint32_t num_kept_left_ = 0;
  uint32_t next_kept_ = 0;
  uint32_t position_ = 0;

  // The codebook and the scales as stored, and the indices; or the values, with
  // line classes those of either class.
  size_t stored_size_ = 0;
  const uint8_t* centroids_ = nullptr;
  const uint8_t* scales_ = nullptr;
  uint32_t num_channels_ = 0;
  SymbolCursor* indices_ = nullptr;
  NumberCursor values_[2];
  const uint8_t* line_classes_ = nullptr;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SMALL_SMALL_DECODER_H_
