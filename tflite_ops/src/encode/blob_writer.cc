#include "encode/blob_writer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "common/bit_stream.h"
#include "common/crc32.h"
#include "common/format.h"
#include "encode/line_classes.h"
#include "encode/number_writer.h"
#include "encode/symbol_encoder.h"

namespace keras_dc {
namespace {

// The numbers of a blob as they are stored.
struct Storage {
  PackedNumbers values;         // or the codebook
  PackedNumbers second_values;  // values of lines of class 1
  PackedNumbers scales;
  PlanePlan value_planes;
  PlanePlan second_planes;
  PlanePlan scale_planes;
  bool half_float = false;
  bool wide = false;
};

bool AllFloats(const std::vector<double>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](double number) {
    return static_cast<double>(static_cast<float>(number)) == number;
  });
}

std::vector<uint32_t> FloatPatterns(const std::vector<double>& numbers) {
  std::vector<uint32_t> patterns;
  for (const double number : numbers) {
    const auto value = static_cast<float>(number);
    uint32_t pattern;
    std::memcpy(&pattern, &value, sizeof(pattern));
    patterns.push_back(pattern);
  }
  return patterns;
}

int ValueStreams(const Draft& draft) {
  return draft.has_codebook ? 1 : 1 << LogStreams(draft.num_entries);
}

Storage ChooseStorage(const Draft& draft, int32_t dtype) {
  Storage storage;
  if (draft.values != nullptr) {
    storage.values = PackValuesAt(draft.values, draft.num_entries, dtype,
                                  &storage.half_float);
  } else if (draft.scale_axis == KDC_NO_SCALE) {
    storage.values = PackValues(draft.patterns, dtype, &storage.half_float);
  } else if (AllFloats(draft.codebook) && AllFloats(draft.scales)) {
    storage.values = PackValues(FloatPatterns(draft.codebook), KDC_FLOAT32,
                                &storage.half_float);
    storage.scales = PackPatterns(FloatPatterns(draft.scales), sizeof(float));
  } else {
    storage.wide = true;
    storage.values = PackDoubles(draft.codebook);
    storage.scales = PackDoubles(draft.scales);
  }
  if (!draft.line_classes.empty()) {
    std::array<PackedNumbers, 2> parts = SplitByClass(
        storage.values, draft.num_entries / draft.line_classes.size(),
        draft.line_classes);
    storage.values = std::move(parts[0]);
    storage.second_values = std::move(parts[1]);
    storage.second_planes =
        PlanPlanes(storage.second_values, ValueStreams(draft));
  }
  if (dtype != KDC_INT4) {
    storage.value_planes = PlanPlanes(storage.values, ValueStreams(draft));
  }
  storage.scale_planes = PlanPlanes(storage.scales, 1);
  return storage;
}

// FORMAT.md, 3: everything up to the codebook.
void WriteHeader(const Draft& draft, const Storage& storage, int log_streams,
                 int32_t dtype, const int64_t* shape, int32_t rank,
                 std::vector<uint8_t>* blob) {
  const int gap_bits = draft.has_gaps ? draft.gaps.gap_bits : 0;
  BlobHeader header;
  header.layout =
      static_cast<uint8_t>(dtype | (draft.column_major ? kColumnMajorBit : 0) |
                           gap_bits << kGapBitsShift);
  header.coding = static_cast<uint8_t>(
      (draft.has_codebook ? kCodebookBit : 0) |
      (storage.half_float ? kHalfFloatBit : 0) | log_streams << kStreamsShift |
      draft.scale_axis << kScaleAxisShift | (storage.wide ? kWideBit : 0));
  header.rank = static_cast<uint8_t>(
      rank | (storage.value_planes.coded != 0 ? kValuePlanesBit : 0) |
      (storage.scale_planes.coded != 0 ? kScalePlanesBit : 0) |
      (draft.line_classes.empty() ? 0 : kLineClassesBit));
  header.zero_point = draft.zero_point;
  WriteBlobHeader(header, shape, blob);
  if (draft.has_gaps) {
    WriteVarint(draft.num_entries, blob);
    WriteVarint(draft.gaps.num_fillers, blob);
  }
  if (draft.has_codebook) {
    blob->push_back(static_cast<uint8_t>(storage.values.count() - 1));
  }
}

// FORMAT.md, 4: the codebook or the values, and the scales.
void WriteValues(const Draft& draft, const Storage& storage,
                 std::vector<uint8_t>* blob) {
  BitWriter classes(blob);
  for (const uint8_t line_class : draft.line_classes) {
    classes.Write(line_class, 1);
  }
  classes.Flush();
  const int num_streams = ValueStreams(draft);
  WriteNumbers(storage.values, storage.value_planes, num_streams, blob);
  WriteNumbers(storage.second_values, storage.second_planes, num_streams, blob);
  WriteNumbers(storage.scales, storage.scale_planes, 1, blob);
}

}  // namespace

void WriteBlobHeader(const BlobHeader& header, const int64_t* shape,
                     std::vector<uint8_t>* blob) {
  blob->assign(kMagic, kMagic + sizeof(kMagic));
  blob->push_back(kVersion);
  blob->push_back(header.layout);
  blob->push_back(header.coding);
  blob->push_back(static_cast<uint8_t>(
      header.rank | (header.zero_point != 0 ? kZeroPointBit : 0)));
  for (int i = 0; i < (header.rank & kRankMask); ++i) {
    WriteVarint(static_cast<uint64_t>(shape[i]), blob);
  }
  if (header.zero_point != 0) {
    blob->push_back(static_cast<uint8_t>(header.zero_point));
  }
}

void AppendStreams(const std::vector<std::vector<uint8_t>>& streams,
                   std::vector<uint8_t>* blob) {
  for (size_t i = 0; i + 1 < streams.size(); ++i) {
    WriteVarint(streams[i].size(), blob);
  }
  for (const std::vector<uint8_t>& stream : streams) {
    blob->insert(blob->end(), stream.begin(), stream.end());
  }
}

void AppendChecksum(std::vector<uint8_t>* blob) {
  const uint32_t checksum = Crc32(blob->data(), blob->size());
  blob->resize(blob->size() + kChecksumBytes);
  StoreU32(checksum, &(*blob)[blob->size() - kChecksumBytes]);
}

std::vector<uint8_t> WriteBlob(const Draft& draft, int32_t dtype,
                               const int64_t* shape, int32_t rank) {
  const Storage storage = ChooseStorage(draft, dtype);
  const int log_streams = LogStreams(draft.num_entries);
  const int num_streams = 1 << log_streams;
  std::vector<uint8_t> blob;
  WriteHeader(draft, storage, log_streams, dtype, shape, rank, &blob);
  WriteValues(draft, storage, &blob);

  std::vector<std::vector<uint8_t>> streams;
  const bool has_indices =
      draft.has_codebook && storage.values.count() > 1 && draft.num_entries > 0;
  if (has_indices) {
    WriteCodeLengths(draft.index_lengths, &blob);
    EncodeStreams(draft.indices, draft.index_lengths, num_streams, &streams);
  }
  if (draft.has_gaps && draft.num_entries > 0) {
    WriteCodeLengths(draft.gaps.lengths, &blob);
    EncodeStreams(draft.gap_symbols, draft.gaps.lengths, num_streams, &streams);
  }
  AppendStreams(streams, &blob);
  AppendChecksum(&blob);
  return blob;
}

}  // namespace keras_dc
