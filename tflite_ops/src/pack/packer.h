// From a file to a packed file (PACK.md). The inverse of the unpacker; the two
// share common/ and bytes/ alone.
#ifndef KERAS_DC_SRC_PACK_PACKER_H_
#define KERAS_DC_SRC_PACK_PACKER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "keras_dc/pack.h"

namespace keras_dc {

// A run of bytes.
struct ByteSpan {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
};

// What a part of a file and its counterpart in the base decode to: the caller
// knows the decoder, the packer does not. Elements of the dtype, C order.
struct PartTensors {
  std::vector<uint32_t> weights;
  std::vector<uint32_t> base_weights;
  size_t item_size = 4;
};

// `tensors` has an element for each part, which is empty unless the part takes
// its values from the base. `part_bytes` may be null.
kdc_status Pack(const ByteSpan& original, const ByteSpan& base,
                const std::vector<kdc_part>& parts,
                const std::vector<PartTensors>& tensors, uint64_t* part_bytes,
                std::vector<uint8_t>* packed);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_PACK_PACKER_H_
