// The packed file: a .tflite file, or a ZIP archive of such, for storage and
// transport (tflite_ops/PACK.md). Unpacking gives the same bytes again and
// needs neither Python nor a runtime.
//
// As in codec.h, every function takes pointers with sizes, returns a kdc_status
// and lets no C++ exception out.
#ifndef KERAS_DC_PACK_H_
#define KERAS_DC_PACK_H_

#include <stddef.h>
#include <stdint.h>

#include "keras_dc/codec.h"

#ifdef __cplusplus
extern "C" {
#endif

// What the head of a packed file says.
typedef struct kdc_pack_info {
  uint64_t original_size;  // bytes of the file that is packed
  uint32_t original_crc;   // its CRC-32, that of zlib
  int32_t has_base;        // 1: the packed file is a patch
  uint64_t base_size;      // of the file that the patch is for; else 0
  uint32_t base_crc;
} kdc_pack_info;

// Reads the head of a packed file.
KDC_EXPORT int32_t kdc_pack_get_info(const uint8_t* packed, size_t size,
                                     kdc_pack_info* info);

// The size of the file that is packed. KDC_TOO_LARGE if it is no size_t.
KDC_EXPORT int32_t kdc_unpacked_size(const uint8_t* packed, size_t size,
                                     size_t* unpacked_size);

// Unpacks to `out_size` bytes at `out`; KDC_WRONG_BUFFER_SIZE unless this is
// the size of the file. `base` is the file that a patch is for, null if the
// packed file is none; another file is refused with KDC_WRONG_BASE. What was
// written is unspecified unless KDC_OK.
KDC_EXPORT int32_t kdc_unpack(const uint8_t* packed, size_t size,
                              const uint8_t* base, size_t base_size,
                              uint8_t* out, size_t out_size);

// Takes the next bytes of the file, in order. Returns 0, or anything else to
// stop: kdc_unpack_to then returns KDC_WRITE_FAILED.
typedef int32_t (*kdc_write)(void* context, const uint8_t* bytes, size_t size);

// As kdc_unpack, part by part. Takes memory for the largest tensor in the file
// and at most 32 MB besides. The checksum is known at the end: what was written
// is to be thrown away unless KDC_OK.
KDC_EXPORT int32_t kdc_unpack_to(const uint8_t* packed, size_t size,
                                 const uint8_t* base, size_t base_size,
                                 kdc_write write, void* context);

// What a part of a file is packed as.
typedef enum kdc_part_kind {
  KDC_PART_BYTES = 0,   // by the byte model
  KDC_PART_STORED = 1,  // as it is
  KDC_PART_TENSOR = 2,  // as a blob, which decodes to the part's bytes
  KDC_PART_COPY = 3,    // as a copy of bytes of the base
  KDC_PART_ORIGIN = 4,  // no bytes: a nested file begins here
} kdc_part_kind;

// What the bytes of a KDC_PART_BYTES are.
typedef enum kdc_byte_kind {
  KDC_BYTES_GRAPH = 0,  // tables of a flatbuffer, text, anything
  KDC_BYTES_INT8 = 1,
  KDC_BYTES_WORDS = 2,  // float32
  KDC_BYTES_PAIRS = 3,  // float16
} kdc_byte_kind;

// Where the values of a KDC_PART_TENSOR come from.
typedef enum kdc_tensor_source {
  KDC_FROM_BLOB = 0,        // from `blob`
  KDC_FROM_DIFFERENCE = 1,  // from `blob`, added to a tensor of the base
  KDC_FROM_BASE = 2,        // from a tensor of the base, and what differs
} kdc_tensor_source;

// A part of a file, as kdc_pack is to pack it.
typedef struct kdc_part {
  int32_t kind;        // a kdc_part_kind
  uint64_t size;       // bytes
  int32_t byte_kind;   // of bytes: a kdc_byte_kind
  uint64_t row_bytes;  // of bytes: of a row of a matrix; 0 if there are none
  // Of a copy, and of all that has a counterpart in the base: where that
  // begins.
  int32_t has_base;
  uint64_t base_offset;
  // Of a tensor.
  int32_t source;       // a kdc_tensor_source
  int32_t is_huffman;   // 1: the part is a Huffman-coded blob
  int32_t is_by_index;  // 1: values are 0, or one more than a cluster index
  int32_t is_summed;    // 1: the part's values are sums of the blob's
  const uint8_t* blob;  // a whole blob; null from the base
  size_t blob_size;
  int32_t base_is_blob;  // 1: the tensor of the base is a blob
  uint64_t base_size;    // of that blob
  int32_t dtype;         // from the base, if that is no blob: its kdc_dtype
  int32_t rank;
  int64_t shape[KDC_MAX_RANK];
} kdc_part;

// Packs a file part by part; the sizes of the parts must add up to that of the
// file. `base` is null unless a patch is to be made. `part_bytes`, null or with
// room for each part, gets what each part takes, in 1/256 bytes.
// KDC_INVALID_ARGUMENT if a part does not fit its bytes.
KDC_EXPORT int32_t kdc_pack(const uint8_t* original, size_t original_size,
                            const uint8_t* base, size_t base_size,
                            const kdc_part* parts, size_t num_parts,
                            uint64_t* part_bytes, kdc_bytes** packed);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // KERAS_DC_PACK_H_
