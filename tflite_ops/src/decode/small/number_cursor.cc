#include "decode/small/number_cursor.h"

#include <cstring>

#include "common/format.h"
#include "common/return_if_error.h"

namespace keras_dc {
namespace {

// A function of its own, so that its array is not on the stack while the code
// is read.
[[gnu::noinline]] kdc_status ReadStreams(ByteReader* reader, int num_streams,
                                         SymbolCursor* plane) {
  ByteRange streams[kMaxStreams];
  KDC_RETURN_IF_ERROR(
      ReadPlaneStreams(reader, static_cast<size_t>(num_streams), streams));
  plane->Begin(streams, num_streams);
  return KDC_OK;
}

kdc_status OpenPlane(ByteReader* reader, int num_streams, size_t count,
                     Arena* arena, SymbolCursor** plane) {
  *plane = arena->Make<SymbolCursor>();
  if (*plane == nullptr) return KDC_OUT_OF_MEMORY;
  KDC_RETURN_IF_ERROR((*plane)->Open(reader, kPlaneAlphabet, count, arena));
  return ReadStreams(reader, num_streams, *plane);
}

}  // namespace

kdc_status NumberCursor::Open(ByteReader* reader, bool has_planes,
                              int num_streams, size_t count, size_t item_size,
                              Arena* arena) {
  item_size_ = item_size;
  has_planes_ = has_planes;
  if (!has_planes) {
    KDC_RETURN_IF_ERROR(ReadRange(reader, count, item_size, &packed_));
    next_ = packed_.bytes;
    return KDC_OK;
  }
  unsigned coded = 0;
  KDC_RETURN_IF_ERROR(ReadCodedPlanes(reader, count, item_size, &coded));
  for (size_t i = 0; i < item_size; ++i) {
    if ((coded >> i & 1) == 0) {
      ByteRange raw;
      KDC_RETURN_IF_ERROR(ReadRange(reader, count, 1, &raw));
      raw_[i] = raw.bytes;
      continue;
    }
    KDC_RETURN_IF_ERROR(
        OpenPlane(reader, num_streams, count, arena, &coded_[i]));
  }
  return KDC_OK;
}

kdc_status NumberCursor::Next(uint8_t* item) {
  if (!has_planes_) {
    std::memcpy(item, next_, item_size_);
    next_ += item_size_;
    return KDC_OK;
  }
  for (size_t i = 0; i < item_size_; ++i) {
    uint8_t* byte = &item[item_size_ - 1 - i];
    if (coded_[i] == nullptr) {
      *byte = *raw_[i]++;
    } else {
      KDC_RETURN_IF_ERROR(coded_[i]->Next(byte));
    }
  }
  return KDC_OK;
}

kdc_status NumberCursor::Finish() {
  for (SymbolCursor* plane : coded_) {
    if (plane != nullptr) KDC_RETURN_IF_ERROR(plane->Finish());
  }
  return KDC_OK;
}

kdc_status ReadNumberTable(ByteReader* reader, bool has_planes, size_t count,
                           size_t item_size, Arena* arena,
                           const uint8_t** numbers) {
  if (!has_planes) {
    ByteRange packed;
    KDC_RETURN_IF_ERROR(ReadRange(reader, count, item_size, &packed));
    *numbers = packed.bytes;
    return KDC_OK;
  }
  unsigned coded = 0;
  KDC_RETURN_IF_ERROR(ReadCodedPlanes(reader, count, item_size, &coded));
  // Each plane takes at least a table, and each number of a plane that is not
  // coded a byte; a coded one may take none. So `count` says little of the
  // blob's size, but it is small: there are so many centroids or channels.
  if (count > SIZE_MAX / item_size) return KDC_OUT_OF_MEMORY;
  uint8_t* bytes = arena->Take(count * item_size);
  if (bytes == nullptr) return KDC_OUT_OF_MEMORY;
  *numbers = bytes;
  for (size_t i = 0; i < item_size; ++i) {
    uint8_t* out = bytes + (item_size - 1 - i);
    if ((coded >> i & 1) == 0) {
      ByteRange raw;
      KDC_RETURN_IF_ERROR(ReadRange(reader, count, 1, &raw));
      for (size_t j = 0; j < count; ++j) out[item_size * j] = raw.bytes[j];
      continue;
    }
    // What the plane takes is given back behind it.
    Arena scratch = *arena;
    SymbolCursor* plane = nullptr;
    KDC_RETURN_IF_ERROR(OpenPlane(reader, 1, count, &scratch, &plane));
    for (size_t j = 0; j < count; ++j) {
      KDC_RETURN_IF_ERROR(plane->Next(&out[item_size * j]));
    }
    KDC_RETURN_IF_ERROR(plane->Finish());
  }
  return KDC_OK;
}

}  // namespace keras_dc
