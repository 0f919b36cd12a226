// Reads the parts of a blob, and checks all of them but the streams (FORMAT.md,
// 3 to 7).
#ifndef KERAS_DC_SRC_DECODE_BLOB_READER_H_
#define KERAS_DC_SRC_DECODE_BLOB_READER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/huffman.h"
#include "decode/blob_header.h"
#include "decode/number_reader.h"
#include "decode/symbol_decoder.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// A stream of the arithmetic coder: the entries of some lines.
struct EntryStream {
  ByteRange bytes;
  uint64_t first_line = 0;
  uint64_t num_lines = 0;
  uint64_t first_entry = 0;
  uint64_t num_entries = 0;
};

// The parts of a blob. Byte ranges point into the blob, which must outlive
// them.
struct ParsedBlob : ParsedHeader {
  StoredNumbers stored_scales;  // float32 or float64, one for each channel
  StoredNumbers stored_values;  // the codebook, or all values if there is none
  ByteRange line_classes;       // a bit for each line, if there are two classes
  StoredNumbers second_values;  // with line classes: the values of class 1
  CodeLengths index_lengths;    // empty if indices take no stream
  CodeLengths gap_lengths;      // empty if there are no gap symbols
  std::vector<ByteRange> index_streams;
  std::vector<ByteRange> gap_streams;
  // The arithmetic coder.
  ByteRange raw_planes;  // byte planes that are not coded, the highest first
  std::vector<EntryStream> entry_streams;
};

// `*blob` is unspecified unless KDC_OK.
kdc_status ReadBlob(const uint8_t* bytes, size_t size, ParsedBlob* blob);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_BLOB_READER_H_
