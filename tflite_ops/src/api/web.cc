// What JavaScript calls in WebAssembly (tflite_ops/js): keras_dc/pack.h, in
// numbers alone.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "keras_dc/pack.h"
#include "unpack/unpacker.h"

#define KDC_WEB_EXPORT(name) extern "C" __attribute__((export_name(#name)))

// Given by JavaScript, which takes the next bytes of the file.
extern "C" __attribute__((import_module("keras_dc"), import_name("write"))) void
kdc_web_write(const uint8_t* bytes, size_t size);

namespace {

kdc_pack_info found;

int32_t Write(void* /*context*/, const uint8_t* bytes, size_t size) {
  kdc_web_write(bytes, size);
  return 0;
}

}  // namespace

// Memory for a file; null if there is none.
KDC_WEB_EXPORT(allocate) uint8_t* kdc_web_allocate(size_t size) {
  return static_cast<uint8_t*>(std::malloc(size));
}

// Reads the head. What is known of it stands in `info` even where the head goes
// on behind `size`: it is asked before all of a file has come.
KDC_WEB_EXPORT(read_head)
int32_t kdc_web_read_head(const uint8_t* packed, size_t size) {
  keras_dc::PackHead head;
  const kdc_status status = keras_dc::ReadPackHead(packed, size, &head);
  found = head.info;
  return status;
}

KDC_WEB_EXPORT(info) const kdc_pack_info* kdc_web_info() { return &found; }

// Unpacks, and gives the file to `write`, part by part.
KDC_WEB_EXPORT(unpack)
int32_t kdc_web_unpack(const uint8_t* packed, size_t size, const uint8_t* base,
                       size_t base_size) {
  return kdc_unpack_to(packed, size, base, base_size, Write, nullptr);
}
