// From blob to numbers. The inverse of encoder.h; the two share format.h alone.
#ifndef KERAS_DC_SRC_DECODE_DECODER_H_
#define KERAS_DC_SRC_DECODE_DECODER_H_

#include <cstddef>
#include <cstdint>

#include "common/sparse_rows.h"
#include "decode/blob_reader.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// As DecodeSparse, but a scaled tensor keeps its indices and has no codebook.
// May throw std::bad_alloc.
kdc_status DecodeUnscaled(const ParsedBlob& blob, SparseRows* tensor);

// Decodes to the sparse form. `*tensor` is unspecified unless KDC_OK.
kdc_status DecodeSparse(const uint8_t* blob, size_t blob_size,
                        SparseRows* tensor);

// The caller's memory for entries: a row start for each row and one more, and a
// column and a cluster index for each entry.
struct EntryBuffers {
  uint32_t* row_begin = nullptr;
  size_t row_begin_size = 0;
  uint32_t* columns = nullptr;
  uint8_t* indices = nullptr;
  size_t num_entries = 0;
};

// Decodes to the caller's memory. KDC_INVALID_ARGUMENT for a blob without a
// codebook, KDC_WRONG_BUFFER_SIZE if a size is not that of the blob.
kdc_status DecodeEntries(const uint8_t* blob, size_t blob_size,
                         const EntryBuffers& buffers);

// Decodes to `values_size` bytes of dense values, C order.
kdc_status DecodeDense(const uint8_t* blob, size_t blob_size, void* values,
                       size_t values_size);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_DECODER_H_
