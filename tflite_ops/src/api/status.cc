// The sentence of each status.
#include "keras_dc/codec.h"

const char* kdc_status_message(int32_t status) {
  switch (status) {
    case KDC_OK:
      return "no error";
    case KDC_INVALID_ARGUMENT:
      return "an argument is null, negative or not a known dtype";
    case KDC_OUT_OF_MEMORY:
      return "memory could not be allocated";
    case KDC_WRONG_BUFFER_SIZE:
      return "a buffer does not have the size of what it takes";
    case KDC_BAD_MAGIC:
      return "this is not a keras_dc blob: it does not begin with 'KDC'";
    case KDC_UNSUPPORTED_VERSION:
      return "the blob has a format version that this library does not read";
    case KDC_BAD_CHECKSUM:
      return "the blob is damaged: its checksum does not match its bytes";
    case KDC_TRUNCATED:
      return "the blob ends before the data that it declares";
    case KDC_TRAILING_BYTES:
      return "the blob goes on after the data that it declares";
    case KDC_BAD_HEADER:
      return "the blob's header has a field with a value that is not allowed";
    case KDC_TOO_LARGE:
      return "the tensor has more than 2147483647 weights";
    case KDC_BAD_CODE_TABLE:
      return "the blob's code lengths do not make a complete prefix code";
    case KDC_BAD_STREAM:
      return "a bit stream of the blob does not end where its symbols do";
    case KDC_BAD_POSITION:
      return "the blob's position gaps do not end at its last kept weight, "
             "inside the tensor";
    case KDC_WRONG_BASE:
      return "the base is not the file that the patch was made for";
    case KDC_WRITE_FAILED:
      return "the file could not be written";
    case KDC_NOT_SUPPORTED:
      return "this decoder does not read blobs of the arithmetic coder";
    default:
      return "unknown status";
  }
}
