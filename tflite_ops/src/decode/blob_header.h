// The header of a blob, and what is around it (FORMAT.md, 3 and 7). Here
// nothing is allocated.
#ifndef KERAS_DC_SRC_DECODE_BLOB_HEADER_H_
#define KERAS_DC_SRC_DECODE_BLOB_HEADER_H_

#include <cstddef>
#include <cstdint>

#include "common/bit_stream.h"
#include "common/entry_layout.h"
#include "common/format.h"
#include "keras_dc/codec.h"

namespace keras_dc {

struct ParsedHeader {
  // The sizes of parts are known when these are read.
  kdc_blob_info info = {};
  bool half_float = false;  // centroids or values are stored as float16
  // The arithmetic coder.
  EntryLayout entries;       // of all streams together
  uint8_t coded_planes = 0;  // bit 0 is the plane of the highest bytes

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

// Checks magic, version and checksum.
kdc_status CheckEnvelope(const uint8_t* bytes, size_t size);

// Reads everything from the layout byte up to the codebook.
kdc_status ReadHeader(ByteReader* reader, ParsedHeader* header);

// Whether `reader` came to the end, or upon a number of another form.
kdc_status ReadStatus(const ByteReader& reader);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_BLOB_HEADER_H_
