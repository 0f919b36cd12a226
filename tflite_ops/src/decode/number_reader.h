// Numbers of a blob: the values or the codebook, and the scales (FORMAT.md, 4).
#ifndef KERAS_DC_SRC_DECODE_NUMBER_READER_H_
#define KERAS_DC_SRC_DECODE_NUMBER_READER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/bit_stream.h"
#include "common/huffman.h"
#include "decode/symbol_decoder.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// A byte plane: one byte of each number, as it is or coded in streams.
struct BytePlane {
  CodeLengths lengths;  // empty if the bytes are not coded: one range then
  std::vector<ByteRange> streams;
};

// Numbers as a blob stores them; all ranges point into it.
struct StoredNumbers {
  size_t count = 0;
  size_t item_size = 1;
  ByteRange packed;               // the numbers, if there are no planes
  std::vector<uint8_t> unpacked;  // the numbers, if they are stored in order
  std::vector<BytePlane> planes;  // the highest bytes first

  size_t num_bytes() const { return count * item_size; }
};

// Reads where `numbers->count` numbers of `numbers->item_size` bytes are. With
// planes, each coded plane has `num_streams` streams.
kdc_status ReadNumbers(ByteReader* reader, bool has_planes, int num_streams,
                       StoredNumbers* numbers);

// Reads numbers that are stored in ascending order, as the differences between
// them. `is_float` tells which order that is.
kdc_status ReadAscending(ByteReader* reader, bool is_float,
                         StoredNumbers* numbers);

// Writes the numbers, num_bytes() bytes in all, one behind the other.
kdc_status UnpackNumbers(const StoredNumbers& numbers, uint8_t* bytes);

// Joins planes of `count` bytes each to numbers.
void JoinPlanes(const std::vector<const uint8_t*>& planes, size_t count,
                uint8_t* bytes);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_NUMBER_READER_H_
