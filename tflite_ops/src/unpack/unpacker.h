// From a packed file to the file (PACK.md). The inverse of the packer.
#ifndef KERAS_DC_SRC_UNPACK_UNPACKER_H_
#define KERAS_DC_SRC_UNPACK_UNPACKER_H_

#include <cstddef>
#include <cstdint>
#include <functional>

#include "keras_dc/pack.h"

namespace keras_dc {

// Takes the next bytes; false stops.
using WriteBytes = std::function<bool(const uint8_t* bytes, size_t size)>;

// PACK.md, 2.
struct PackHead {
  kdc_pack_info info = {};
  bool has_dictionary = false;
  uint64_t modelled_bytes = 0;
  const uint8_t* control = nullptr;
  size_t control_size = 0;
  const uint8_t* payloads = nullptr;
  size_t payloads_size = 0;
};

kdc_status ReadPackHead(const uint8_t* packed, size_t size, PackHead* head);

// May throw std::bad_alloc, as all that follows.
// Checks the base, and unpacks.
kdc_status Unpack(const PackHead& head, const uint8_t* base, size_t base_size,
                  const WriteBytes& write);

// As Unpack, but the base is not checked to be the right one; it is there if
// the head says so.
kdc_status UnpackSegments(const PackHead& head, const uint8_t* base,
                          size_t base_size, const WriteBytes& write);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_UNPACK_UNPACKER_H_
