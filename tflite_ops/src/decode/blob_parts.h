// The parts of a blob behind its header: where they are, and whether they are
// in order (FORMAT.md, 4 to 6). Here nothing is allocated.
#ifndef KERAS_DC_SRC_DECODE_BLOB_PARTS_H_
#define KERAS_DC_SRC_DECODE_BLOB_PARTS_H_

#include <cstddef>
#include <cstdint>

#include "common/bit_stream.h"
#include "decode/blob_header.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// Bytes of a centroid or a value, as stored.
size_t StoredItemSize(const ParsedHeader& header);

// Whether all bytes are from -8 to 7.
bool AreInt4(const uint8_t* bytes, size_t size);

// A float16, float32 or float64, as `item_size` tells.
double LoadNumber(const uint8_t* item, size_t item_size);

// `count` items one behind the other.
kdc_status ReadRange(ByteReader* reader, size_t count, size_t item_size,
                     ByteRange* range);

// The classes of the lines, and the number of lines of class 1.
kdc_status ReadLineClasses(ByteReader* reader, const ParsedHeader& header,
                           ByteRange* classes, size_t* num_second);

// Which planes of `count` numbers of `item_size` bytes are coded: bit 0 is the
// plane of the highest bytes.
kdc_status ReadCodedPlanes(ByteReader* reader, size_t count, size_t item_size,
                           unsigned* coded);

// The streams of a coded plane, which stand behind its code.
kdc_status ReadPlaneStreams(ByteReader* reader, size_t num_streams,
                            ByteRange* streams);

// The streams of indices and gaps, which end the blob; `*begin` is the position
// at which they begin.
kdc_status ReadStreamRanges(ByteReader* reader, size_t num_ranges,
                            ByteRange* ranges, size_t* begin);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_BLOB_PARTS_H_
