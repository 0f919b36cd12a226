#include "decode/small/small_decoder.h"

#include <cstring>
#include <initializer_list>

#include "common/format.h"
#include "common/half_float.h"
#include "common/return_if_error.h"
#include "decode/blob_parts.h"

namespace keras_dc {
namespace {

// Behind the last kept weight.
constexpr uint32_t kNone = UINT32_MAX;

}  // namespace

kdc_status SmallDecoder::Open(const uint8_t* bytes, size_t size, Arena arena) {
  KDC_RETURN_IF_ERROR(CheckEnvelope(bytes, size));
  ByteReader reader(bytes, size - kChecksumBytes);
  reader.ReadBytes(kMagicBytes);
  KDC_RETURN_IF_ERROR(ReadHeader(&reader, &header_));
  if (header_.is_arithmetic()) return KDC_NOT_SUPPORTED;
  // Where size_t has 32 bits, the bytes of a line are counted in it.
  if (static_cast<uint64_t>(header_.info.num_weights) >
      SIZE_MAX / ItemSize(header_.info.dtype)) {
    return KDC_TOO_LARGE;
  }
  num_lines_ = static_cast<uint32_t>(header_.num_lines());
  line_length_ = static_cast<uint32_t>(header_.line_length());
  num_kept_left_ = static_cast<uint32_t>(header_.info.num_kept);
  if (header_.has_positions()) {
    num_gaps_left_ = static_cast<uint32_t>(header_.num_gap_symbols());
  }
  KDC_RETURN_IF_ERROR(ReadValues(&reader, &arena));
  KDC_RETURN_IF_ERROR(ReadCodes(&reader, &arena));
  KDC_RETURN_IF_ERROR(ReadStreams(&reader));
  return header_.info.gap_bits != 0 ? FindNext() : KDC_OK;
}

// FORMAT.md, 4: the codebook or the values, and the scales.
kdc_status SmallDecoder::ReadValues(ByteReader* reader, Arena* arena) {
  const kdc_blob_info& info = header_.info;
  const bool has_planes = info.value_planes != 0;
  stored_size_ = StoredItemSize(header_);
  num_channels_ = static_cast<uint32_t>(
      NumChannels(info.shape, info.rank, info.scale_axis));
  if (info.num_centroids != 0) {
    const auto num_centroids = static_cast<size_t>(info.num_centroids);
    KDC_RETURN_IF_ERROR(ReadNumberTable(reader, has_planes, num_centroids,
                                        stored_size_, arena, &centroids_));
    KDC_RETURN_IF_ERROR(ReadNumberTable(
        reader, info.scale_planes != 0, num_channels_,
        info.wide != 0 ? sizeof(double) : sizeof(float), arena, &scales_));
    return info.dtype == KDC_INT4 && !AreInt4(centroids_, num_centroids)
               ? KDC_BAD_HEADER
               : KDC_OK;
  }
  size_t counts[2] = {header_.num_entries(), 0};
  if (info.line_classes != 0) {
    ByteRange classes;
    size_t num_second = 0;
    KDC_RETURN_IF_ERROR(
        ReadLineClasses(reader, header_, &classes, &num_second));
    line_classes_ = classes.bytes;
    counts[1] = num_second * line_length_;
    counts[0] -= counts[1];
  }
  for (int i = 0; i < (line_classes_ == nullptr ? 1 : 2); ++i) {
    KDC_RETURN_IF_ERROR(values_[i].Open(reader, has_planes, info.num_streams,
                                        counts[i], stored_size_, arena));
  }
  const ByteRange& packed = values_[0].packed();
  return info.dtype == KDC_INT4 && !AreInt4(packed.bytes, packed.size)
             ? KDC_BAD_HEADER
             : KDC_OK;
}

// FORMAT.md, 5: the codes of indices and gaps.
kdc_status SmallDecoder::ReadCodes(ByteReader* reader, Arena* arena) {
  const kdc_blob_info& info = header_.info;
  if (header_.has_indices()) {
    indices_ = arena->Make<SymbolCursor>();
    if (indices_ == nullptr) return KDC_OUT_OF_MEMORY;
    KDC_RETURN_IF_ERROR(indices_->Open(reader,
                                       static_cast<size_t>(info.num_centroids),
                                       header_.num_entries(), arena));
  }
  if (!header_.has_positions()) return KDC_OK;
  gaps_ = arena->Make<SymbolCursor>();
  if (gaps_ == nullptr) return KDC_OUT_OF_MEMORY;
  return gaps_->Open(reader, size_t{1} << info.gap_bits,
                     header_.num_gap_symbols(), arena);
}

// FORMAT.md, 6: their streams. Not part of the function before, so that its
// array is not on the stack while codes are read.
[[gnu::noinline]] kdc_status SmallDecoder::ReadStreams(ByteReader* reader) {
  ByteRange streams[2 * kMaxStreams];
  const ByteRange* next = streams;
  const auto num_streams = static_cast<size_t>(header_.info.num_streams);
  const size_t num_kinds =
      (indices_ != nullptr ? 1 : 0) + (gaps_ != nullptr ? 1 : 0);
  size_t begin = 0;
  KDC_RETURN_IF_ERROR(
      ReadStreamRanges(reader, num_kinds * num_streams, streams, &begin));
  for (SymbolCursor* symbols : {indices_, gaps_}) {
    if (symbols == nullptr) continue;
    symbols->Begin(next, header_.info.num_streams);
    next += num_streams;
  }
  return KDC_OK;
}

kdc_status SmallDecoder::FindNext() {
  const uint32_t filler = FillerSymbol(header_.info.gap_bits);
  const auto num_weights = static_cast<uint32_t>(header_.info.num_weights);
  next_kept_ = kNone;
  // The last symbol is no filler.
  if (num_gaps_left_ == 0) {
    return num_kept_left_ == 0 ? KDC_OK : KDC_BAD_POSITION;
  }
  while (num_gaps_left_ > 0) {
    uint8_t gap = 0;
    KDC_RETURN_IF_ERROR(gaps_->Next(&gap));
    --num_gaps_left_;
    // Both are below 2^31.
    position_ += gap;
    if (position_ > num_weights) return KDC_BAD_POSITION;
    if (gap == filler) continue;
    if (num_kept_left_ == 0 || position_ == num_weights) {
      return KDC_BAD_POSITION;
    }
    --num_kept_left_;
    next_kept_ = position_++;
    return KDC_OK;
  }
  return KDC_BAD_POSITION;
}

kdc_status SmallDecoder::NextLine(uint8_t* weights, size_t stride) {
  if (status_ != KDC_OK) return status_;
  status_ = DecodeLine(weights, stride);
  if (status_ == KDC_OK && ++line_ == num_lines_) status_ = Finish();
  return status_;
}

kdc_status SmallDecoder::DecodeLine(uint8_t* weights, size_t stride) {
  const kdc_blob_info& info = header_.info;
  if (info.gap_bits == 0) {
    for (uint32_t i = 0; i < line_length_; ++i) {
      KDC_RETURN_IF_ERROR(DecodeWeight(i, weights + i * stride));
    }
    return KDC_OK;
  }
  const size_t item_size = ItemSize(info.dtype);
  const int zero = info.zero_point;
  for (uint32_t i = 0; i < line_length_; ++i) {
    std::memset(weights + i * stride, zero, item_size);
  }
  const uint32_t begin = line_ * line_length_;
  // The last line ends below 2^31.
  const uint32_t end = begin + line_length_;
  while (next_kept_ < end) {
    const uint32_t offset = next_kept_ - begin;
    KDC_RETURN_IF_ERROR(DecodeWeight(offset, weights + offset * stride));
    KDC_RETURN_IF_ERROR(FindNext());
  }
  return KDC_OK;
}

kdc_status SmallDecoder::DecodeWeight(uint32_t offset, uint8_t* weight) {
  const kdc_blob_info& info = header_.info;
  uint8_t own[sizeof(double)];
  const uint8_t* stored = own;
  if (info.num_centroids == 0) {
    const bool is_second = line_classes_ != nullptr &&
                           (line_classes_[line_ / 8] >> line_ % 8 & 1) != 0;
    KDC_RETURN_IF_ERROR(values_[is_second ? 1 : 0].Next(own));
  } else {
    uint8_t index = 0;
    if (indices_ != nullptr) KDC_RETURN_IF_ERROR(indices_->Next(&index));
    stored = centroids_ + stored_size_ * index;
  }
  const size_t item_size = ItemSize(info.dtype);
  if (info.scale_axis != KDC_NO_SCALE) {
    const uint32_t row = header_.is_by_rows() ? line_ : offset;
    const uint32_t column = header_.is_by_rows() ? offset : line_;
    const uint32_t channel =
        info.scale_axis == KDC_FIRST_AXIS ? row : column % num_channels_;
    const size_t scale_size = info.wide != 0 ? sizeof(double) : sizeof(float);
    StoreU32(
        ScaledPattern(LoadNumber(stored, stored_size_),
                      LoadNumber(scales_ + scale_size * channel, scale_size),
                      info.dtype),
        own);
    stored = own;
  } else if (header_.half_float) {
    StoreU32(HalfToFloatBits(static_cast<uint16_t>(stored[0] | stored[1] << 8)),
             own);
    stored = own;
  } else if (info.zero_point != 0) {
    own[0] = static_cast<uint8_t>(stored[0] + info.zero_point);
    stored = own;
  }
  std::memcpy(weight, stored, item_size);
  return KDC_OK;
}

kdc_status SmallDecoder::Finish() {
  // Behind the last kept weight no symbol is left.
  if (num_gaps_left_ != 0) return KDC_BAD_POSITION;
  if (indices_ != nullptr) KDC_RETURN_IF_ERROR(indices_->Finish());
  if (gaps_ != nullptr) KDC_RETURN_IF_ERROR(gaps_->Finish());
  KDC_RETURN_IF_ERROR(values_[0].Finish());
  return values_[1].Finish();
}

}  // namespace keras_dc
