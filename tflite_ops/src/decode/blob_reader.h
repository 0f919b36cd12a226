// Reads the parts of a blob, and checks all of them but the streams (FORMAT.md,
// 3 to 7).
#ifndef KERAS_DC_SRC_DECODE_BLOB_READER_H_
#define KERAS_DC_SRC_DECODE_BLOB_READER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/format.h"
#include "common/huffman.h"
#include "decode/number_reader.h"
#include "decode/symbol_decoder.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// The parts of a blob. Byte ranges point into the blob, which must outlive
// them.
struct ParsedBlob {
  kdc_blob_info info = {};
  bool half_float = false;      // centroids or values are stored as float16
  StoredNumbers stored_scales;  // float32 or float64, one for each channel
  StoredNumbers stored_values;  // the codebook, or all values if there is none
  ByteRange line_classes;       // a bit for each line, if there are two classes
  StoredNumbers second_values;  // with line classes: the values of class 1
  CodeLengths index_lengths;    // empty if indices take no stream
  CodeLengths gap_lengths;      // empty if there are no gap symbols
  uint64_t period = 0;          // arithmetic coder: period of the mask
  std::vector<ByteRange> index_streams;
  std::vector<ByteRange> gap_streams;

  // The tensor as a matrix (FORMAT.md, 2).
  MatrixShape matrix() const {
    return AsMatrix(info.shape, info.rank,
                    static_cast<uint64_t>(info.num_weights));
  }
  // The lines of the scan: rows, or columns in a scan by columns.
  bool is_by_rows() const { return info.column_major == 0; }
  uint64_t num_lines() const {
    return is_by_rows() ? matrix().rows : matrix().columns;
  }
  uint64_t line_length() const {
    return is_by_rows() ? matrix().columns : matrix().rows;
  }
  // The number of entries: weights with a cluster index or a stored value.
  size_t num_entries() const { return static_cast<size_t>(info.num_kept); }
  bool is_arithmetic() const { return info.coder == KDC_ARITHMETIC; }
  bool has_indices() const {
    return info.num_centroids > 1 && info.num_kept > 0;
  }
  // Whether there are gap streams or a mask stream.
  bool has_positions() const {
    return is_arithmetic() ? info.num_kept > 0
                           : info.gap_bits != 0 && num_gap_symbols() > 0;
  }
  size_t num_gap_symbols() const {
    return static_cast<size_t>(info.num_kept + info.num_fillers);
  }
};

// `*blob` is unspecified unless KDC_OK.
kdc_status ReadBlob(const uint8_t* bytes, size_t size, ParsedBlob* blob);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_BLOB_READER_H_
