// Numbers of a blob: the values or the codebook, and the scales (FORMAT.md, 4).
// The inverse of number_reader.h.
#ifndef KERAS_DC_SRC_ENCODE_NUMBER_WRITER_H_
#define KERAS_DC_SRC_ENCODE_NUMBER_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/huffman.h"

namespace keras_dc {

// Numbers of `item_size` bytes each, little-endian, one behind the other.
struct PackedNumbers {
  std::vector<uint8_t> bytes;
  size_t item_size = 1;

  size_t count() const { return bytes.size() / item_size; }
};

PackedNumbers PackPatterns(const std::vector<uint32_t>& patterns,
                           size_t item_size);

// Values or centroids of a dtype; float32 ones as float16, if each of them is
// equal to one.
PackedNumbers PackValues(const std::vector<uint32_t>& patterns, int32_t dtype,
                         bool* half_float);

PackedNumbers PackDoubles(const std::vector<double>& numbers);

// Which byte planes of some numbers are coded, and how.
struct PlanePlan {
  // Bit 0 is the plane of the highest bytes; 0 if all is stored as it is.
  uint8_t coded = 0;
  std::vector<CodeLengths> lengths;  // of each plane, empty where not coded
  // What the numbers take; at most, if there are several streams.
  uint64_t size_bytes = 0;
};

// The smallest of all ways to write these numbers.
PlanePlan PlanPlanes(const PackedNumbers& numbers, int num_streams);

void WriteNumbers(const PackedNumbers& numbers, const PlanePlan& plan,
                  int num_streams, std::vector<uint8_t>* blob);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_NUMBER_WRITER_H_
