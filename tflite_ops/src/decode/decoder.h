// From blob to numbers. The inverse of the encoder; the two share common/
// alone.
#ifndef KERAS_DC_SRC_DECODE_DECODER_H_
#define KERAS_DC_SRC_DECODE_DECODER_H_

#include <cstddef>
#include <cstdint>

#include "common/sparse_rows.h"
#include "decode/blob_reader.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// All functions decode a blob that ReadBlob has read, and check its streams.
// What they write is unspecified unless they return KDC_OK. Streams of the
// arithmetic coder are decoded on up to `num_threads` threads. All may throw
// std::bad_alloc.

// Decodes to the sparse form; int8 weights are less the zero point.
kdc_status DecodeSparse(const ParsedBlob& blob, size_t num_threads,
                        SparseRows* sparse);

// As DecodeSparse, but a scaled tensor keeps its indices and has no codebook.
kdc_status DecodeUnscaled(const ParsedBlob& blob, size_t num_threads,
                          SparseRows* sparse);

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
kdc_status DecodeEntries(const ParsedBlob& blob, const EntryBuffers& buffers);

// Decodes to `values_size` bytes of dense values, C order.
kdc_status DecodeDense(const ParsedBlob& blob, size_t num_threads, void* values,
                       size_t values_size);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_DECODER_H_
