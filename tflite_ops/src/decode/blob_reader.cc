#include "decode/blob_reader.h"

#include <algorithm>
#include <cstring>

#include "common/bit_stream.h"
#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/blob_parts.h"

namespace keras_dc {
namespace {

// FORMAT.md, 6: the index streams and the gap streams.
kdc_status ReadStreams(ByteReader* reader, ParsedBlob* blob) {
  const auto num_streams = static_cast<size_t>(blob->info.num_streams);
  ByteRange ranges[2 * kMaxStreams];
  size_t num_indices = 0, num_ranges = 0, body = 0;
  if (blob->has_indices()) num_ranges = num_indices = num_streams;
  if (blob->has_positions()) num_ranges += num_streams;
  KDC_RETURN_IF_ERROR(ReadStreamRanges(reader, num_ranges, ranges, &body));
  blob->index_streams.assign(ranges, ranges + num_indices);
  blob->gap_streams.assign(ranges + num_indices, ranges + num_ranges);
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

bool HoldsInt4(const StoredNumbers& values) {
  return values.unpacked.empty()
             ? AreInt4(values.packed.bytes, values.packed.size)
             : AreInt4(values.unpacked.data(), values.unpacked.size());
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
kdc_status ReadClasses(ByteReader* reader, ParsedBlob* blob) {
  size_t num_second = 0;
  KDC_RETURN_IF_ERROR(
      ReadLineClasses(reader, *blob, &blob->line_classes, &num_second));
  StoredNumbers& second = blob->second_values;
  second.item_size = blob->stored_values.item_size;
  second.count = num_second * static_cast<size_t>(blob->line_length());
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
    KDC_RETURN_IF_ERROR(ReadClasses(reader, blob));
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
  if (info.dtype == KDC_INT4 && !HoldsInt4(values)) return KDC_BAD_HEADER;
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
