// The C ABI of the codec: one tensor in, one blob out, and back.
//
// A blob is described in tflite_ops/FORMAT.md. Every function takes pointers
// with sizes, returns a status, and lets no C++ exception out. A kdc_blob and
// kdc_bytes are all that the library allocates for the caller. All functions
// may be called from several threads at once, with one kdc_blob, too.
#ifndef KERAS_DC_CODEC_H_
#define KERAS_DC_CODEC_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(KDC_BUILDING)
#define KDC_EXPORT __declspec(dllexport)
#elif defined(_WIN32)
#define KDC_EXPORT  // a static library, or a DLL's import library
#else
#define KDC_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

// Why a call failed. The values are part of the ABI: append, never renumber.
typedef enum kdc_status {
  KDC_OK = 0,
  KDC_INVALID_ARGUMENT = 1,
  KDC_OUT_OF_MEMORY = 2,
  KDC_WRONG_BUFFER_SIZE = 3,
  KDC_BAD_MAGIC = 4,
  KDC_UNSUPPORTED_VERSION = 5,
  KDC_BAD_CHECKSUM = 6,
  KDC_TRUNCATED = 7,
  KDC_TRAILING_BYTES = 8,
  KDC_BAD_HEADER = 9,
  KDC_TOO_LARGE = 10,
  KDC_BAD_CODE_TABLE = 11,
  KDC_BAD_STREAM = 12,
  KDC_BAD_POSITION = 13,
  KDC_WRONG_BASE = 14,     // see pack.h
  KDC_WRITE_FAILED = 15,   // see pack.h
  KDC_NOT_SUPPORTED = 16,  // see decoder.h
} kdc_status;

// The element type of a tensor. The values stand in blobs (FORMAT.md, 3).
typedef enum kdc_dtype {
  KDC_FLOAT32 = 0,
  KDC_FLOAT16 = 1,
  KDC_BFLOAT16 = 2,
  KDC_INT8 = 3,
  KDC_INT4 = 4,  // one value a byte, from -8 to 7, wherever values are passed
} kdc_dtype;

// Which dimension counts the channels that have a scale each. The values stand
// in blobs (FORMAT.md, 3).
typedef enum kdc_scale_axis {
  KDC_NO_SCALE = 0,
  KDC_FIRST_AXIS = 1,
  KDC_LAST_AXIS = 2,
} kdc_scale_axis;

// The coder of a blob's symbols. The values stand in blobs (FORMAT.md, 3).
typedef enum kdc_coder {
  KDC_HUFFMAN = 0,
  // Adaptive arithmetic coding: smaller, and slower to decode.
  KDC_ARITHMETIC = 1,
} kdc_coder;

enum { KDC_MAX_RANK = 8 };

// What a blob holds, as its header and its tables say.
typedef struct kdc_blob_info {
  int32_t dtype;  // a kdc_dtype
  int32_t rank;   // 0 to KDC_MAX_RANK
  int64_t shape[KDC_MAX_RANK];
  int64_t num_weights;    // product of `shape`
  int64_t num_kept;       // weights with a cluster index or a value
  int64_t num_fillers;    // filler zeros between them
  int32_t num_centroids;  // 0: there is no codebook
  int32_t gap_bits;       // bits of a gap; 0: there are no gaps
  int32_t column_major;   // 1: the scan runs down the columns
  int32_t num_streams;    // bit streams for each kind of symbol
  int64_t header_bytes;   // magic, header fields, sizes and checksum
  int64_t codebook_bytes;
  int64_t table_bytes;   // the tables of code lengths
  int64_t index_bytes;   // coded cluster indices, or the values
  int64_t gap_bytes;     // coded position gaps, or the mask
  int32_t scale_axis;    // a kdc_scale_axis
  int32_t wide;          // 1: codebook and scales are stored as float64
  int64_t scale_bytes;   // the scales of the channels
  int32_t coder;         // a kdc_coder
  int32_t value_planes;  // 1: values or codebook are coded by byte planes
  int32_t line_classes;  // 1: the lines of the values are of two classes
  int32_t scale_planes;  // 1: the scales are coded by byte planes
  int32_t zero_point;    // int8: the value that counts as zero
} kdc_blob_info;

// One English sentence for `status`, without a full stop; never null.
KDC_EXPORT const char* kdc_status_message(int32_t status);

// The instruction set that the library computes with in this process:
// "portable", "neon", "avx2" or "avx512". Null if the environment asks by
// KERAS_DC_ISA for one that this machine lacks.
KDC_EXPORT const char* kdc_instruction_set(void);

// What an encoder wrote. How much that is, is known when it is written.
typedef struct kdc_bytes kdc_bytes;

// The first byte, and the number of bytes; null and 0 for null. They stay until
// the bytes are freed.
KDC_EXPORT const uint8_t* kdc_bytes_data(const kdc_bytes* bytes);
KDC_EXPORT size_t kdc_bytes_size(const kdc_bytes* bytes);

// Frees what an encoder made; null is allowed.
KDC_EXPORT void kdc_free_bytes(kdc_bytes* bytes);

// Codes a tensor of `rank` dimensions as the smallest blob that is found.
//
// `values` holds the product of `shape` elements of `dtype`, C order. Equality
// is equality of bit patterns, so -0.0 and NaNs come back as they were. On
// KDC_OK the caller frees `*blob`; else it is null. Here, as in the functions
// below.
KDC_EXPORT int32_t kdc_encode(const void* values, int32_t dtype,
                              const int64_t* shape, int32_t rank,
                              kdc_bytes** blob);

// As `kdc_encode`, for int8 weights of which `zero_point` is the one that
// stands for 0, and counts as zero. KDC_INVALID_ARGUMENT for another dtype
// unless `zero_point` is 0, and if it is no int8.
KDC_EXPORT int32_t kdc_encode_with_zero_point(const void* values, int32_t dtype,
                                              const int64_t* shape,
                                              int32_t rank, int32_t zero_point,
                                              kdc_bytes** blob);

// As `kdc_encode`, for a tensor whose weights are centroids times a scale for
// each channel. Each weight that is not zero must be `codebook[k] *
// scales[channel]` for some k, rounded to float32 (or, for int8, to the nearest
// integer, halves to even), else KDC_INVALID_ARGUMENT. So is the status if
// `scale_axis` is KDC_NO_SCALE, if the rank is below 2, or if `dtype` is
// neither KDC_FLOAT32 nor KDC_INT8. `num_centroids` is 1 to 256; `scales` has
// an element for each channel.
KDC_EXPORT int32_t kdc_encode_scaled(const void* values, int32_t dtype,
                                     const int64_t* shape, int32_t rank,
                                     const double* codebook,
                                     int32_t num_centroids,
                                     const double* scales, int32_t scale_axis,
                                     kdc_bytes** blob);

// Codes a Huffman-coded blob anew with the arithmetic coder. The result is
// never larger. With a mask model (`has_mask_model` is not 0) positions take
// the fewest bytes, and the decoder some 20 ns for each weight of a line and a
// column that has any; without it, positions are coded by gaps, in some 50 ns
// for each kept weight.
KDC_EXPORT int32_t kdc_recode(const uint8_t* bytes, size_t size,
                              int32_t has_mask_model, kdc_bytes** recoded);

// A blob that was read: its header, its tables, and where its streams are.
typedef struct kdc_blob kdc_blob;

// Reads a blob. Checks the checksum, the header and the tables, not the
// streams. On KDC_OK the caller closes `*blob`, and keeps `bytes` as they are
// until then; else `*blob` is null.
KDC_EXPORT int32_t kdc_open(const uint8_t* bytes, size_t size, kdc_blob** blob);

// Frees what kdc_open made; null is allowed.
KDC_EXPORT void kdc_close(kdc_blob* blob);

KDC_EXPORT int32_t kdc_get_info(const kdc_blob* blob, kdc_blob_info* info);

// Decodes a blob into `values`, C order; `values_size` is its size in bytes and
// must be that of the tensor.
KDC_EXPORT int32_t kdc_decode(const kdc_blob* blob, void* values,
                              size_t values_size);

// Decodes a blob with a codebook to the position and the cluster index of each
// entry, as a matrix in compressed sparse row form (FORMAT.md, 2): entries
// `row_begin[r]` to `row_begin[r + 1] - 1` are those of row r. `row_begin_size`
// is the number of rows and one more, `num_entries` is `num_kept` of the info.
// KDC_WRONG_BUFFER_SIZE if these are not the numbers of the blob.
KDC_EXPORT int32_t kdc_decode_entries(const kdc_blob* blob, uint32_t* row_begin,
                                      size_t row_begin_size, uint32_t* columns,
                                      uint8_t* indices, size_t num_entries);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // KERAS_DC_CODEC_H_
