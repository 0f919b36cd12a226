#include "decode/blob_header.h"

#include <cstring>

#include "common/crc32.h"
#include "common/return_if_error.h"

namespace keras_dc {
namespace {

kdc_status ReadShape(ByteReader* reader, kdc_blob_info* info) {
  const uint8_t rank = reader->ReadByte();
  if ((rank & kRankMask) > KDC_MAX_RANK ||
      (rank & ~(kRankMask | kValuePlanesBit | kScalePlanesBit |
                kLineClassesBit | kZeroPointBit)) != 0 ||
      ((rank & kZeroPointBit) != 0 &&
       (info->dtype != KDC_INT8 || info->scale_axis != KDC_NO_SCALE)) ||
      ((rank & kValuePlanesBit) != 0 && info->dtype == KDC_INT4) ||
      ((rank & kScalePlanesBit) != 0 && info->scale_axis == KDC_NO_SCALE) ||
      ((rank & (kValuePlanesBit | kLineClassesBit)) != 0 &&
       info->coder == KDC_ARITHMETIC)) {
    return KDC_BAD_HEADER;
  }
  info->rank = rank & kRankMask;
  info->value_planes = (rank & kValuePlanesBit) != 0 ? 1 : 0;
  info->scale_planes = (rank & kScalePlanesBit) != 0 ? 1 : 0;
  info->line_classes = (rank & kLineClassesBit) != 0 ? 1 : 0;
  uint64_t product = 1;
  for (int i = 0; i < info->rank; ++i) {
    const uint64_t dim = reader->ReadVarint();
    if (dim > kMaxWeights) return KDC_TOO_LARGE;
    if (dim != 0 && product > kMaxWeights / dim) return KDC_TOO_LARGE;
    product *= dim;
    info->shape[i] = static_cast<int64_t>(dim);
  }
  info->num_weights = static_cast<int64_t>(product);
  if ((rank & kZeroPointBit) != 0) {
    info->zero_point = static_cast<int8_t>(reader->ReadByte());
    if (!reader->truncated() && info->zero_point == 0) return KDC_BAD_HEADER;
  }
  return ReadStatus(*reader);
}

// FORMAT.md, 3: which dtypes may have scales, and in which types values may be
// stored.
bool IsStorageAllowed(const ParsedHeader& blob, uint8_t coding) {
  const kdc_blob_info& info = blob.info;
  if (info.scale_axis == KDC_NO_SCALE) {
    return info.wide == 0 && (!blob.half_float || info.dtype == KDC_FLOAT32);
  }
  return info.scale_axis <= KDC_LAST_AXIS && (coding & kCodebookBit) != 0 &&
         (info.dtype == KDC_FLOAT32 || info.dtype == KDC_INT8) &&
         !(blob.half_float && info.wide != 0);
}

// FORMAT.md, 3: how the arithmetic coder predicts.
kdc_status ReadModel(ByteReader* reader, bool has_codebook, uint64_t num_kept,
                     ParsedHeader* blob) {
  const uint8_t model = reader->ReadByte();
  if (reader->truncated()) return KDC_TRUNCATED;
  blob->coded_planes = model >> kCodedPlanesShift;
  EntryLayout& entries = blob->entries;
  entries.has_mask_model = (model & kMaskModelBit) != 0;
  const size_t item_size =
      blob->half_float ? ItemSize(KDC_FLOAT16) : ItemSize(blob->info.dtype);
  if ((model & ~kMaskModelBit & ((1 << kCodedPlanesShift) - 1)) != 0 ||
      blob->coded_planes >> (has_codebook ? 0 : item_size) != 0 ||
      (!has_codebook && item_size == 1 && num_kept > 0)) {
    return KDC_BAD_HEADER;
  }
  for (unsigned planes = blob->coded_planes; planes != 0;
       planes &= planes - 1) {
    ++entries.num_planes;
  }
  entries.has_highest_plane = (blob->coded_planes & 1) != 0;
  blob->info.value_planes = blob->coded_planes != 0 ? 1 : 0;
  entries.period = reader->ReadVarint();
  return entries.period == 0 || entries.period < blob->line_length()
             ? KDC_OK
             : KDC_BAD_HEADER;
}

}  // namespace

kdc_status CheckEnvelope(const uint8_t* bytes, size_t size) {
  if (bytes == nullptr) return KDC_INVALID_ARGUMENT;
  if (size < kMagicBytes) return KDC_TRUNCATED;
  if (std::memcmp(bytes, kMagic, sizeof(kMagic)) != 0) return KDC_BAD_MAGIC;
  if (bytes[sizeof(kMagic)] != kVersion) return KDC_UNSUPPORTED_VERSION;
  if (size < kMagicBytes + kChecksumBytes) return KDC_TRUNCATED;
  const size_t payload = size - kChecksumBytes;
  if (Crc32(bytes, payload) != LoadU32(bytes + payload)) {
    return KDC_BAD_CHECKSUM;
  }
  return KDC_OK;
}

kdc_status ReadStatus(const ByteReader& reader) {
  if (reader.truncated()) return KDC_TRUNCATED;
  return reader.malformed() ? KDC_BAD_HEADER : KDC_OK;
}

kdc_status ReadHeader(ByteReader* reader, ParsedHeader* blob) {
  kdc_blob_info& info = blob->info;
  const uint8_t layout = reader->ReadByte();
  const uint8_t coding = reader->ReadByte();
  info.dtype = layout & kDtypeMask;
  info.column_major = (layout & kColumnMajorBit) != 0 ? 1 : 0;
  info.gap_bits = layout >> kGapBitsShift;
  blob->half_float = (coding & kHalfFloatBit) != 0;
  info.num_streams = 1 << ((coding & kStreamsMask) >> kStreamsShift);
  info.scale_axis = (coding & kScaleAxisMask) >> kScaleAxisShift;
  info.wide = (coding & kWideBit) != 0 ? 1 : 0;
  info.coder = (coding & kArithmeticBit) != 0 ? KDC_ARITHMETIC : KDC_HUFFMAN;
  if (reader->truncated()) return KDC_TRUNCATED;
  if (ItemSize(info.dtype) == 0 || info.gap_bits > kMaxGapBits ||
      !IsStorageAllowed(*blob, coding) ||
      (blob->is_arithmetic() && info.gap_bits != 0)) {
    return KDC_BAD_HEADER;
  }
  KDC_RETURN_IF_ERROR(ReadShape(reader, &info));
  if (info.scale_axis != KDC_NO_SCALE && info.rank < 2) return KDC_BAD_HEADER;
  if (info.line_classes != 0 &&
      (info.value_planes == 0 || info.gap_bits != 0 || info.rank < 2 ||
       info.num_weights == 0 || (coding & kCodebookBit) != 0)) {
    return KDC_BAD_HEADER;
  }
  uint64_t num_kept = static_cast<uint64_t>(info.num_weights);
  uint64_t num_fillers = 0;
  if (info.gap_bits != 0) {
    num_kept = reader->ReadVarint();
    num_fillers = reader->ReadVarint();
  } else if (blob->is_arithmetic()) {
    num_kept = reader->ReadVarint();
    KDC_RETURN_IF_ERROR(
        ReadModel(reader, (coding & kCodebookBit) != 0, num_kept, blob));
  }
  // Each symbol stands for at least one weight, so the declared shape bounds
  // all allocations.
  const auto num_weights = static_cast<uint64_t>(info.num_weights);
  if (num_kept > num_weights || num_fillers > num_weights - num_kept) {
    return KDC_BAD_HEADER;
  }
  info.num_kept = static_cast<int64_t>(num_kept);
  info.num_fillers = static_cast<int64_t>(num_fillers);
  if ((coding & kCodebookBit) != 0) {
    info.num_centroids = reader->ReadByte() + 1;
  }
  if (blob->is_arithmetic()) {
    EntryLayout& entries = blob->entries;
    entries.num_lines = blob->num_lines();
    entries.line_length = blob->line_length();
    entries.num_kept = num_kept;
    entries.has_mask = num_kept < num_weights;
    entries.num_centroids = static_cast<size_t>(info.num_centroids);
  }
  return ReadStatus(*reader);
}

}  // namespace keras_dc
