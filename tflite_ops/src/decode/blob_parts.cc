#include "decode/blob_parts.h"

#include <algorithm>
#include <cstring>

#include "common/format.h"
#include "common/half_float.h"
#include "common/return_if_error.h"

namespace keras_dc {

size_t StoredItemSize(const ParsedHeader& header) {
  if (header.half_float) return ItemSize(KDC_FLOAT16);
  if (header.info.scale_axis == KDC_NO_SCALE) {
    return ItemSize(header.info.dtype);
  }
  return header.info.wide != 0 ? sizeof(double) : sizeof(float);
}

bool AreInt4(const uint8_t* bytes, size_t size) {
  return std::all_of(bytes, bytes + size,
                     [](uint8_t b) { return b < 8 || b >= 0xf8; });
}

double LoadNumber(const uint8_t* item, size_t item_size) {
  if (item_size == sizeof(double)) {
    const uint64_t bits = LoadU64(item);
    double number;
    std::memcpy(&number, &bits, sizeof(bits));
    return number;
  }
  const uint32_t bits =
      item_size == sizeof(float)
          ? LoadU32(item)
          : HalfToFloatBits(static_cast<uint16_t>(item[0] | item[1] << 8));
  float number;
  std::memcpy(&number, &bits, sizeof(bits));
  return number;
}

kdc_status ReadRange(ByteReader* reader, size_t count, size_t item_size,
                     ByteRange* range) {
  // A product could overflow.
  if (count > reader->remaining() / item_size) return KDC_TRUNCATED;
  range->size = count * item_size;
  range->bytes = reader->ReadBytes(range->size);
  return range->bytes == nullptr ? KDC_TRUNCATED : KDC_OK;
}

kdc_status ReadLineClasses(ByteReader* reader, const ParsedHeader& header,
                           ByteRange* classes, size_t* num_second) {
  const auto num_lines = static_cast<size_t>(header.num_lines());
  KDC_RETURN_IF_ERROR(ReadRange(reader, (num_lines + 7) / 8, 1, classes));
  BitReader bits(classes->bytes, classes->size);
  *num_second = 0;
  for (size_t i = 0; i < num_lines; ++i) *num_second += bits.Read(1);
  return bits.AtCleanEnd() ? KDC_OK : KDC_BAD_HEADER;
}

kdc_status ReadCodedPlanes(ByteReader* reader, size_t count, size_t item_size,
                           unsigned* coded) {
  *coded = reader->ReadByte();
  if (reader->truncated()) return KDC_TRUNCATED;
  return count == 0 || *coded == 0 || *coded >> item_size != 0 ? KDC_BAD_HEADER
                                                               : KDC_OK;
}

kdc_status ReadPlaneStreams(ByteReader* reader, size_t num_streams,
                            ByteRange* streams) {
  for (size_t i = 0; i < num_streams; ++i) {
    streams[i].size = static_cast<size_t>(reader->ReadVarint());
  }
  KDC_RETURN_IF_ERROR(ReadStatus(*reader));
  for (size_t i = 0; i < num_streams; ++i) {
    streams[i].bytes = reader->ReadBytes(streams[i].size);
    if (streams[i].bytes == nullptr) return KDC_TRUNCATED;
  }
  return KDC_OK;
}

kdc_status ReadStreamRanges(ByteReader* reader, size_t num_ranges,
                            ByteRange* ranges, size_t* begin) {
  for (size_t i = 0; i + 1 < num_ranges; ++i) {
    ranges[i].size = static_cast<size_t>(reader->ReadVarint());
  }
  KDC_RETURN_IF_ERROR(ReadStatus(*reader));
  *begin = reader->position();
  for (size_t i = 0; i < num_ranges; ++i) {
    // The last one takes what is left.
    if (i + 1 == num_ranges) ranges[i].size = reader->remaining();
    ranges[i].bytes = reader->ReadBytes(ranges[i].size);
    if (ranges[i].bytes == nullptr) return KDC_TRUNCATED;
  }
  return reader->remaining() != 0 ? KDC_TRAILING_BYTES : KDC_OK;
}

}  // namespace keras_dc
