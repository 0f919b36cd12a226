// Lines of values that are of two kinds (FORMAT.md, 4).
#ifndef KERAS_DC_SRC_ENCODE_LINE_CLASSES_H_
#define KERAS_DC_SRC_ENCODE_LINE_CLASSES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "encode/number_writer.h"

namespace keras_dc {

// The class of each line, 0 or 1, such that the bytes of each class are like
// one another: channels that died in training and live ones, say. Empty if
// there is but one kind.
std::vector<uint8_t> FindLineClasses(const PackedNumbers& numbers,
                                     size_t line_length);

// The numbers of the lines of each class.
std::array<PackedNumbers, 2> SplitByClass(const PackedNumbers& numbers,
                                          size_t line_length,
                                          const std::vector<uint8_t>& classes);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_LINE_CLASSES_H_
