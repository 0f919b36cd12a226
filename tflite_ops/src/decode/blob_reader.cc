#include "decode/blob_reader.h"

#include <algorithm>
#include <cstring>

#include "common/bit_stream.h"
#include "common/crc32.h"
#include "common/format.h"
#include "common/return_if_error.h"

namespace keras_dc {
namespace {

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
bool IsStorageAllowed(const ParsedBlob& blob, uint8_t coding) {
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
                     ParsedBlob* blob) {
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

// FORMAT.md, 3: everything up to the codebook.
kdc_status ReadHeader(ByteReader* reader, ParsedBlob* blob) {
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

// FORMAT.md, 6: the byte counts of all streams but the last, which takes what
// is left.
kdc_status ReadStreams(ByteReader* reader, ParsedBlob* blob) {
  const auto num_streams = static_cast<size_t>(blob->info.num_streams);
  std::vector<ByteRange*> ranges;
  if (blob->has_indices()) blob->index_streams.resize(num_streams);
  if (blob->has_positions()) blob->gap_streams.resize(num_streams);
  for (ByteRange& range : blob->index_streams) ranges.push_back(&range);
  for (ByteRange& range : blob->gap_streams) ranges.push_back(&range);
  for (size_t i = 0; i + 1 < ranges.size(); ++i) {
    ranges[i]->size = static_cast<size_t>(reader->ReadVarint());
  }
  KDC_RETURN_IF_ERROR(ReadStatus(*reader));
  const size_t body = reader->position();
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (i + 1 == ranges.size()) ranges[i]->size = reader->remaining();
    ranges[i]->bytes = reader->ReadBytes(ranges[i]->size);
    if (ranges[i]->bytes == nullptr) return KDC_TRUNCATED;
  }
  if (reader->remaining() != 0) return KDC_TRAILING_BYTES;
  for (const ByteRange& range : blob->index_streams) {
    blob->info.index_bytes += static_cast<int64_t>(range.size);
  }
  for (const ByteRange& range : blob->gap_streams) {
    blob->info.gap_bytes += static_cast<int64_t>(range.size);
  }
  blob->info.header_bytes += static_cast<int64_t>(body);
  return KDC_OK;
}

// FORMAT.md, 6: the streams of the arithmetic coder, each of which has a share
// of the lines.
kdc_status ReadEntryStreams(ByteReader* reader, ParsedBlob* blob) {
  const auto num_streams = static_cast<size_t>(blob->info.num_streams);
  const EntryLayout& entries = blob->entries;
  blob->entry_streams.resize(num_streams);
  uint64_t num_left = entries.num_kept;
  for (size_t i = 0; i < num_streams; ++i) {
    EntryStream& stream = blob->entry_streams[i];
    const SymbolRange lines =
        StreamRange(static_cast<size_t>(entries.num_lines),
                    blob->info.num_streams, static_cast<int>(i));
    stream.first_line = lines.begin;
    stream.num_lines = lines.end - lines.begin;
    const uint64_t most = stream.num_lines * entries.line_length;
    stream.num_entries = !entries.has_mask     ? most
                         : i + 1 < num_streams ? reader->ReadVarint()
                                               : num_left;
    if (stream.num_entries > num_left || stream.num_entries > most) {
      return reader->truncated() ? KDC_TRUNCATED : KDC_BAD_HEADER;
    }
    stream.first_entry = entries.num_kept - num_left;
    num_left -= stream.num_entries;
  }
  for (size_t i = 0; i + 1 < num_streams; ++i) {
    blob->entry_streams[i].bytes.size =
        static_cast<size_t>(reader->ReadVarint());
  }
  KDC_RETURN_IF_ERROR(ReadStatus(*reader));
  blob->info.header_bytes += static_cast<int64_t>(reader->position());
  for (size_t i = 0; i < num_streams; ++i) {
    ByteRange& bytes = blob->entry_streams[i].bytes;
    if (i + 1 == num_streams) bytes.size = reader->remaining();
    bytes.bytes = reader->ReadBytes(bytes.size);
    if (bytes.bytes == nullptr) return KDC_TRUNCATED;
    // No line, and so no reader, comes to the ending.
    if (blob->entry_streams[i].num_lines == 0 && bytes.size != 0) {
      return KDC_BAD_STREAM;
    }
    blob->info.index_bytes += static_cast<int64_t>(bytes.size);
  }
  return KDC_OK;
}

// Bytes of a centroid or a value, as stored.
size_t StoredItemSize(const ParsedBlob& blob) {
  if (blob.half_float) return ItemSize(KDC_FLOAT16);
  if (blob.info.scale_axis == KDC_NO_SCALE) return ItemSize(blob.info.dtype);
  return blob.info.wide != 0 ? sizeof(double) : sizeof(float);
}

bool AreInt4(const StoredNumbers& values) {
  const uint8_t* bytes =
      values.unpacked.empty() ? values.packed.bytes : values.unpacked.data();
  const size_t size =
      values.unpacked.empty() ? values.packed.size : values.unpacked.size();
  return std::all_of(bytes, bytes + size,
                     [](uint8_t b) { return b < 8 || b >= 0xf8; });
}

// In which order a codebook ascends: a scaled one always holds floats.
bool IsFloat(const kdc_blob_info& info) {
  return info.scale_axis != KDC_NO_SCALE ||
         (info.dtype != KDC_INT8 && info.dtype != KDC_INT4);
}

// FORMAT.md, 4: the planes of values that the streams do not hold.
kdc_status ReadRawPlanes(ByteReader* reader, ParsedBlob* blob) {
  const size_t num_raw =
      blob->stored_values.item_size - blob->entries.num_planes;
  const size_t count = blob->stored_values.count;
  // A product could overflow.
  if (num_raw > 0 && count > reader->remaining() / num_raw) {
    return KDC_TRUNCATED;
  }
  blob->raw_planes.size = num_raw * count;
  blob->raw_planes.bytes = reader->ReadBytes(blob->raw_planes.size);
  return blob->raw_planes.bytes == nullptr ? KDC_TRUNCATED : KDC_OK;
}

// FORMAT.md, 4: the classes of the lines, and so the number of values of each
// class.
kdc_status ReadLineClasses(ByteReader* reader, ParsedBlob* blob) {
  const auto num_lines = static_cast<size_t>(blob->num_lines());
  ByteRange& classes = blob->line_classes;
  classes.size = (num_lines + 7) / 8;
  classes.bytes = reader->ReadBytes(classes.size);
  if (classes.bytes == nullptr) return KDC_TRUNCATED;
  BitReader bits(classes.bytes, classes.size);
  size_t num_second = 0;
  for (size_t i = 0; i < num_lines; ++i) num_second += bits.Read(1);
  if (!bits.AtCleanEnd()) return KDC_BAD_HEADER;
  StoredNumbers& second = blob->second_values;
  second.item_size = blob->stored_values.item_size;
  second.count = num_second * (blob->num_entries() / num_lines);
  blob->stored_values.count -= second.count;
  return KDC_OK;
}

// FORMAT.md, 4: the codebook or the values, and the scales.
kdc_status ReadValues(ByteReader* reader, ParsedBlob* blob) {
  kdc_blob_info& info = blob->info;
  const bool has_codebook = info.num_centroids != 0;
  StoredNumbers& values = blob->stored_values;
  values.count = has_codebook ? static_cast<size_t>(info.num_centroids)
                              : blob->num_entries();
  values.item_size = StoredItemSize(*blob);
  const size_t begin = reader->position();
  if (info.line_classes != 0) {
    KDC_RETURN_IF_ERROR(ReadLineClasses(reader, blob));
  }
  const bool has_planes = info.value_planes != 0;
  const int num_streams = has_codebook ? 1 : info.num_streams;
  if (!blob->is_arithmetic()) {
    KDC_RETURN_IF_ERROR(ReadNumbers(reader, has_planes, num_streams, &values));
  } else if (has_codebook) {
    KDC_RETURN_IF_ERROR(ReadAscending(reader, IsFloat(info), &values));
  } else {
    KDC_RETURN_IF_ERROR(ReadRawPlanes(reader, blob));
  }
  if (info.line_classes != 0) {
    KDC_RETURN_IF_ERROR(
        ReadNumbers(reader, has_planes, num_streams, &blob->second_values));
  }
  const auto stored_bytes = static_cast<int64_t>(reader->position() - begin);
  StoredNumbers& scales = blob->stored_scales;
  scales.count =
      static_cast<size_t>(NumChannels(info.shape, info.rank, info.scale_axis));
  scales.item_size = info.wide != 0 ? sizeof(double) : sizeof(float);
  const size_t scales_begin = reader->position();
  KDC_RETURN_IF_ERROR(ReadNumbers(reader, info.scale_planes != 0, 1, &scales));
  if (info.dtype == KDC_INT4 && !AreInt4(values)) return KDC_BAD_HEADER;
  (has_codebook ? info.codebook_bytes : info.index_bytes) = stored_bytes;
  info.scale_bytes = static_cast<int64_t>(reader->position() - scales_begin);
  info.header_bytes =
      static_cast<int64_t>(kChecksumBytes) - stored_bytes - info.scale_bytes;
  return KDC_OK;
}

}  // namespace

kdc_status ReadBlob(const uint8_t* bytes, size_t size, ParsedBlob* blob) {
  KDC_RETURN_IF_ERROR(CheckEnvelope(bytes, size));
  *blob = ParsedBlob();
  kdc_blob_info& info = blob->info;
  ByteReader reader(bytes, size - kChecksumBytes);
  reader.ReadBytes(kMagicBytes);
  KDC_RETURN_IF_ERROR(ReadHeader(&reader, blob));

  KDC_RETURN_IF_ERROR(ReadValues(&reader, blob));
  if (blob->is_arithmetic()) return ReadEntryStreams(&reader, blob);
  const size_t tables_begin = reader.position();
  if (blob->has_indices()) {
    blob->index_lengths.resize(static_cast<size_t>(info.num_centroids));
    KDC_RETURN_IF_ERROR(ReadCodeLengths(&reader, &blob->index_lengths));
  }
  if (blob->has_positions()) {
    blob->gap_lengths.resize(size_t{1} << info.gap_bits);
    KDC_RETURN_IF_ERROR(ReadCodeLengths(&reader, &blob->gap_lengths));
  }
  info.table_bytes = static_cast<int64_t>(reader.position() - tables_begin);
  info.header_bytes -= info.table_bytes;
  return ReadStreams(&reader, blob);
}

}  // namespace keras_dc
