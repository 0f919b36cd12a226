// Writes numbers of a blob: the values or the codebook, and the scales
// (FORMAT.md, 4). The inverse of the number reader.
#ifndef KERAS_DC_SRC_ENCODE_NUMBER_WRITER_H_
#define KERAS_DC_SRC_ENCODE_NUMBER_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/huffman.h"

namespace keras_dc {

// Numbers of `item_size` bytes each, little-endian, one behind the other. They
// are its own, or lie in memory that outlives it.
struct PackedNumbers {
  std::vector<uint8_t> bytes;
  size_t item_size = 1;
  // Where this is not null, it takes the place of `bytes`.
  const uint8_t* borrowed = nullptr;
  size_t borrowed_size = 0;

  const uint8_t* data() const { return borrowed ? borrowed : bytes.data(); }
  size_t size() const { return borrowed ? borrowed_size : bytes.size(); }
  size_t count() const { return size() / item_size; }
};

PackedNumbers PackPatterns(const std::vector<uint32_t>& patterns,
                           size_t item_size);

// Values or centroids of `dtype`. float32 ones are packed as float16 if all of
// them are exact in float16.
PackedNumbers PackValues(const std::vector<uint32_t>& patterns, int32_t dtype,
                         bool* half_float);

// The same of values that lie one behind the other; where no byte changes they
// are not copied, and must outlive what is returned.
PackedNumbers PackValuesAt(const uint8_t* values, size_t num_values,
                           int32_t dtype, bool* half_float);

PackedNumbers PackDoubles(const std::vector<double>& numbers);

// Which byte planes are coded, and how.
struct PlanePlan {
  // Bit 0 is the plane of the highest bytes; 0 if no plane is coded.
  uint8_t coded = 0;
  std::vector<CodeLengths> lengths;  // of each plane, empty where not coded
  // Size of the numbers; an upper bound if there are several streams.
  uint64_t size_bytes = 0;
};

// The smallest way to write these numbers.
PlanePlan PlanPlanes(const PackedNumbers& numbers, int num_streams);

void WriteNumbers(const PackedNumbers& numbers, const PlanePlan& plan,
                  int num_streams, std::vector<uint8_t>* blob);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_NUMBER_WRITER_H_
