// Reads the parts of a blob, and checks all of them but the streams (FORMAT.md,
// 3 to 7).
#ifndef KERAS_DC_SRC_DECODE_BLOB_READER_H_
#define KERAS_DC_SRC_DECODE_BLOB_READER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/entry_coder.h"
#include "common/format.h"
#include "common/huffman.h"
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
struct ParsedBlob {
  kdc_blob_info info = {};
  bool half_float = false;      // centroids or values are stored as float16
  StoredNumbers stored_scales;  // float32 or float64, one for each channel
  StoredNumbers stored_values;  // the codebook, or all values if there is none
  ByteRange line_classes;       // a bit for each line, if there are two classes
  StoredNumbers second_values;  // with line classes: the values of class 1
  CodeLengths index_lengths;    // empty if indices take no stream
  CodeLengths gap_lengths;      // empty if there are no gap symbols
  std::vector<ByteRange> index_streams;
  std::vector<ByteRange> gap_streams;
  // The arithmetic coder.
  EntryLayout entries;   // of all streams together
  ByteRange raw_planes;  // byte planes that are not coded, the highest first
  uint8_t coded_planes = 0;  // bit 0 is the plane of the highest bytes
  std::vector<EntryStream> entry_streams;

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
  // Takes a float16 tensor for the float32 one of the same values: the blobs of
  // both differ in nothing else (FORMAT.md, 3).
  void WidenFloat16() {
    if (info.dtype != KDC_FLOAT16) return;
    info.dtype = KDC_FLOAT32;
    half_float = true;
  }
  bool is_arithmetic() const { return info.coder == KDC_ARITHMETIC; }
  bool has_indices() const {
    return info.num_centroids > 1 && info.num_kept > 0;
  }
  bool has_positions() const {
    return info.gap_bits != 0 && num_gap_symbols() > 0;
  }
  size_t num_gap_symbols() const {
    return static_cast<size_t>(info.num_kept + info.num_fillers);
  }
};

// `*blob` is unspecified unless KDC_OK.
kdc_status ReadBlob(const uint8_t* bytes, size_t size, ParsedBlob* blob);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_BLOB_READER_H_
