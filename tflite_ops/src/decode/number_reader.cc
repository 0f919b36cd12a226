#include "decode/number_reader.h"

#include <array>
#include <cstring>

#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/blob_parts.h"

namespace keras_dc {
namespace {

kdc_status ReadPlane(ByteReader* reader, bool is_coded, int num_streams,
                     size_t count, BytePlane* plane) {
  plane->streams.resize(is_coded ? static_cast<size_t>(num_streams) : 1);
  if (!is_coded) return ReadRange(reader, count, 1, &plane->streams[0]);
  plane->lengths.resize(kPlaneAlphabet);
  KDC_RETURN_IF_ERROR(ReadCodeLengths(reader, &plane->lengths));
  return ReadPlaneStreams(reader, plane->streams.size(), plane->streams.data());
}

// Up to 64 bits, the lowest first.
uint64_t ReadBits(BitReader* bits, int count) {
  if (count <= 32) return bits->Read(count);
  const uint64_t low = bits->Read(32);
  return low | static_cast<uint64_t>(bits->Read(count - 32)) << 32;
}

// FORMAT.md, 4: an exponential Golomb code of `order`. False if the number has
// more than `num_bits` bits.
bool ReadExpGolomb(BitReader* bits, int order, int num_bits, uint64_t* number) {
  int size = 0;
  while (bits->Read(1) == 0) {
    if (++size > 63 || size + order > num_bits || bits->overrun()) return false;
  }
  const uint64_t high = (uint64_t{1} << size | ReadBits(bits, size)) - 1;
  if (order > 0 && high >> (64 - order) != 0) return false;
  *number = high << order | ReadBits(bits, order);
  return true;
}

// The item size is fixed, so that compilers can write whole numbers.
template <size_t kItemSize>
void Interleave(const std::vector<const uint8_t*>& planes, size_t count,
                uint8_t* bytes) {
  std::array<const uint8_t*, kItemSize> from;
  for (size_t i = 0; i < kItemSize; ++i) from[i] = planes[kItemSize - 1 - i];
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < kItemSize; ++j) {
      bytes[kItemSize * i + j] = from[j][i];
    }
  }
}

}  // namespace

kdc_status ReadNumbers(ByteReader* reader, bool has_planes, int num_streams,
                       StoredNumbers* numbers) {
  if (!has_planes) {
    return ReadRange(reader, numbers->count, numbers->item_size,
                     &numbers->packed);
  }
  unsigned coded = 0;
  KDC_RETURN_IF_ERROR(
      ReadCodedPlanes(reader, numbers->count, numbers->item_size, &coded));
  numbers->planes.resize(numbers->item_size);
  for (size_t i = 0; i < numbers->item_size; ++i) {
    KDC_RETURN_IF_ERROR(ReadPlane(reader, (coded >> i & 1) != 0, num_streams,
                                  numbers->count, &numbers->planes[i]));
  }
  return KDC_OK;
}

kdc_status ReadAscending(ByteReader* reader, bool is_float,
                         StoredNumbers* numbers) {
  const int order = reader->ReadByte();
  if (reader->truncated()) return KDC_TRUNCATED;
  const size_t size = numbers->item_size;
  const int num_bits = static_cast<int>(8 * size);
  if (order >= num_bits) return KDC_BAD_HEADER;
  BitReader bits(reader->current(), reader->remaining());
  numbers->unpacked.reserve(numbers->num_bytes());
  uint64_t number = ReadBits(&bits, num_bits);
  for (size_t i = 0; i < numbers->count; ++i) {
    if (i > 0) {
      uint64_t difference = 0;
      if (!ReadExpGolomb(&bits, order, num_bits, &difference)) {
        return bits.overrun() ? KDC_TRUNCATED : KDC_BAD_HEADER;
      }
      const uint64_t most = ~uint64_t{0} >> (64 - num_bits);
      if (difference >= most - number) return KDC_BAD_HEADER;
      number += difference + 1;
    }
    const uint64_t item = BitsOfOrder(number, size, is_float);
    for (size_t j = 0; j < size; ++j) {
      numbers->unpacked.push_back(static_cast<uint8_t>(item >> (8 * j)));
    }
  }
  if (bits.overrun()) return KDC_TRUNCATED;
  const int left = static_cast<int>(8 * bits.bytes_used() - bits.position());
  if (bits.Peek(left) != 0) return KDC_BAD_HEADER;
  reader->ReadBytes(bits.bytes_used());
  return KDC_OK;
}

kdc_status UnpackNumbers(const StoredNumbers& numbers, uint8_t* bytes) {
  if (numbers.count == 0) return KDC_OK;
  if (!numbers.unpacked.empty()) {
    std::memcpy(bytes, numbers.unpacked.data(), numbers.num_bytes());
    return KDC_OK;
  }
  if (numbers.planes.empty()) {
    std::memcpy(bytes, numbers.packed.bytes, numbers.num_bytes());
    return KDC_OK;
  }
  std::vector<std::vector<uint8_t>> decoded(numbers.item_size);
  std::vector<const uint8_t*> planes;
  for (size_t i = 0; i < numbers.item_size; ++i) {
    const BytePlane& plane = numbers.planes[i];
    if (plane.lengths.empty()) {
      planes.push_back(plane.streams[0].bytes);
      continue;
    }
    decoded[i].resize(numbers.count);
    KDC_RETURN_IF_ERROR(DecodeSymbols(plane.lengths, plane.streams,
                                      numbers.count, decoded[i].data()));
    planes.push_back(decoded[i].data());
  }
  JoinPlanes(planes, numbers.count, bytes);
  return KDC_OK;
}

void JoinPlanes(const std::vector<const uint8_t*>& planes, size_t count,
                uint8_t* bytes) {
  switch (planes.size()) {
    case 1:
      Interleave<1>(planes, count, bytes);
      break;
    case 2:
      Interleave<2>(planes, count, bytes);
      break;
    case 4:
      Interleave<4>(planes, count, bytes);
      break;
    default:
      Interleave<8>(planes, count, bytes);
  }
}

}  // namespace keras_dc
