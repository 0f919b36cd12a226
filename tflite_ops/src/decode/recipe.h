// What a Huffman-coded blob is beside its values (PACK.md, 3.5).
#ifndef KERAS_DC_SRC_DECODE_RECIPE_H_
#define KERAS_DC_SRC_DECODE_RECIPE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "keras_dc/codec.h"

namespace keras_dc {

// Reads the recipe out of a blob. With `is_by_index` it holds the codebook and
// the scales as they are; else they follow from the values.
// KDC_INVALID_ARGUMENT if the blob is not such that it can be made again.
kdc_status MakeRecipe(const uint8_t* blob, size_t size, bool is_by_index,
                      std::vector<uint8_t>* recipe);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_RECIPE_H_
