// Decodes blobs on machines with little memory: microcontrollers.
//
// Nothing is allocated and nothing is thrown: all memory is the caller's. A
// blob is decoded line by line, so that neither a list of positions nor the
// whole tensor needs memory. Blobs are those of codec.h that are Huffman-coded,
// which is what kdc_encode makes. What is written is bit for bit what
// kdc_decode writes.
//
// A line is a row, the weights of one index of the first dimension; or, if
// `column_major` of the info is 1, a column of the tensor as a matrix, in which
// all dimensions but the first are the columns. A scalar or a vector is one
// row.
#ifndef KERAS_DC_DECODER_H_
#define KERAS_DC_DECODER_H_

#include "keras_dc/codec.h"

#ifdef __cplusplus
extern "C" {
#endif

// Bytes of memory that suffice for any blob without scales by byte planes
// (`scale_planes` of the info). Those take 4 bytes more for each scale, or 8 if
// the blob is wide.
#define KDC_DECODER_MEMORY_BYTES (sizeof(void*) == 4 ? 3328 : 4096)

// Reads a blob, in the caller's memory, where it stays.
typedef struct kdc_decoder kdc_decoder;

// Opens a blob. Checks the checksum, the header and the tables, not the
// streams. `memory` may lie at any address. Until the last line is decoded
// `bytes` and `memory` stay as they are; then there is nothing to close. On an
// error `*decoder` is null. KDC_OUT_OF_MEMORY if `memory_size` is too small,
// KDC_NOT_SUPPORTED for a blob of the arithmetic coder, KDC_TOO_LARGE for a
// tensor whose bytes are no size_t.
KDC_EXPORT int32_t kdc_decoder_open(const uint8_t* bytes, size_t size,
                                    void* memory, size_t memory_size,
                                    kdc_decoder** decoder);

// As kdc_get_info, but the sizes of the parts (fields `..._bytes`) are 0.
KDC_EXPORT int32_t kdc_decoder_get_info(const kdc_decoder* decoder,
                                        kdc_blob_info* info);

// The number of lines, and the bytes of each; 0 for null and for a tensor
// without weights.
KDC_EXPORT size_t kdc_decoder_num_lines(const kdc_decoder* decoder);
KDC_EXPORT size_t kdc_decoder_line_size(const kdc_decoder* decoder);

// Decodes the next line into `values`; `values_size` must be the size of a line
// in bytes. KDC_INVALID_ARGUMENT after the last line. A blob may turn out to be
// damaged after lines of it were decoded; then every further call returns the
// same error.
KDC_EXPORT int32_t kdc_decoder_next_line(kdc_decoder* decoder, void* values,
                                         size_t values_size);

// Decodes all lines into `values`, C order, however the blob is scanned;
// `values_size` is the size of the tensor in bytes. KDC_INVALID_ARGUMENT if a
// line was decoded before.
KDC_EXPORT int32_t kdc_decoder_decode(kdc_decoder* decoder, void* values,
                                      size_t values_size);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // KERAS_DC_DECODER_H_
