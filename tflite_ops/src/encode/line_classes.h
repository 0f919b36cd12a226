// Divides lines of values into two classes (FORMAT.md, 4).
#ifndef KERAS_DC_SRC_ENCODE_LINE_CLASSES_H_
#define KERAS_DC_SRC_ENCODE_LINE_CLASSES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "encode/number_writer.h"

namespace keras_dc {

// The class of each line, 0 or 1, so that lines of a class have like bytes: for
// instance channels that died in training, and live ones. Empty if there is one
// class.
std::vector<uint8_t> FindLineClasses(const PackedNumbers& numbers,
                                     size_t line_length);

// The numbers of the lines of each class.
std::array<PackedNumbers, 2> SplitByClass(const PackedNumbers& numbers,
                                          size_t line_length,
                                          const std::vector<uint8_t>& classes);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_LINE_CLASSES_H_
