#include "unpack/huffman_rewriter.h"

#include <algorithm>
#include <utility>

#include "common/bit_stream.h"
#include "common/crc32.h"
#include "common/format.h"
#include "common/huffman.h"
#include "common/return_if_error.h"
#include "common/value_index.h"
#include "encode/gap_plan.h"
#include "encode/line_classes.h"
#include "encode/number_writer.h"
#include "encode/symbol_encoder.h"

namespace keras_dc {
namespace {

// The three bytes of FORMAT.md, 3 that say how a blob is coded.
struct Coding {
  uint8_t layout = 0, coding = 0, rank = 0;

  bool has_codebook() const { return (coding & kCodebookBit) != 0; }
  bool is_half() const { return (coding & kHalfFloatBit) != 0; }
  bool is_by_columns() const { return (layout & kColumnMajorBit) != 0; }
  bool has_value_planes() const { return (rank & kValuePlanesBit) != 0; }
  bool has_line_classes() const { return (rank & kLineClassesBit) != 0; }
  int gap_bits() const { return layout >> kGapBitsShift; }
  int num_streams() const {
    return 1 << ((coding & kStreamsMask) >> kStreamsShift);
  }
};

// What the blob's streams hold, in the order of the scan.
struct Scan {
  std::vector<uint32_t> weights;    // of the kept ones
  std::vector<uint32_t> positions;  // with gaps
  size_t num_lines = 0;
};

Scan ScanOf(const PlainTensor& tensor, const Coding& coding) {
  Scan scan;
  const MatrixShape matrix =
      AsMatrix(tensor.shape, tensor.rank, tensor.weights.size());
  const auto rows = static_cast<size_t>(matrix.rows);
  const auto columns = static_cast<size_t>(matrix.columns);
  const bool by_columns = coding.is_by_columns();
  scan.num_lines = by_columns ? columns : rows;
  const size_t length = by_columns ? rows : columns;
  for (size_t line = 0; line < scan.num_lines; ++line) {
    for (size_t i = 0; i < length; ++i) {
      const uint32_t weight =
          tensor.weights[by_columns ? i * columns + line : line * columns + i];
      if (coding.gap_bits() != 0) {
        if (weight == 0) continue;
        scan.positions.push_back(static_cast<uint32_t>(line * length + i));
      }
      scan.weights.push_back(weight);
    }
  }
  return scan;
}

// PACK.md, 3.5: the codebook in its usual order. Empty if there are more than
// kMaxCentroids values.
std::vector<uint32_t> CodebookOf(const std::vector<uint32_t>& weights) {
  ValueIndex found;
  std::vector<size_t> counts(kMaxCentroids, 0);
  for (const uint32_t weight : weights) {
    const size_t number = found.Add(weight);
    if (number == ValueIndex::kNone) return {};
    ++counts[number];
  }
  std::vector<uint32_t> codebook;
  for (const size_t place : OrderByFrequency(found.values(), counts)) {
    codebook.push_back(found.values()[place]);
  }
  return codebook;
}

class Rewriter {
 public:
  Rewriter(const PlainTensor& tensor, bool is_by_index,
           const std::vector<uint8_t>& recipe, std::vector<uint8_t>* blob)
      : tensor_(tensor),
        is_by_index_(is_by_index),
        reader_(recipe.data(), recipe.size()),
        blob_(*blob) {}

  kdc_status Run() {
    coding_.layout = reader_.ReadByte();
    coding_.coding = reader_.ReadByte();
    coding_.rank = reader_.ReadByte();
    if (reader_.truncated() || (coding_.coding & kArithmeticBit) != 0 ||
        coding_.gap_bits() > kMaxGapBits ||
        (coding_.rank & kRankMask) != tensor_.rank ||
        (!is_by_index_ && ((coding_.layout & kDtypeMask) != tensor_.dtype ||
                           (coding_.coding & kScaleAxisMask) != 0))) {
      return KDC_BAD_STREAM;
    }
    scan_ = ScanOf(tensor_, coding_);
    KDC_RETURN_IF_ERROR(FindIndices());
    WriteHeader();
    KDC_RETURN_IF_ERROR(is_by_index_ ? CopyNumbers() : WriteValues());
    KDC_RETURN_IF_ERROR(WriteStreams());
    if (reader_.truncated() || reader_.remaining() != 0) return KDC_BAD_STREAM;
    const uint32_t checksum = Crc32(blob_.data(), blob_.size());
    blob_.resize(blob_.size() + kChecksumBytes);
    StoreU32(checksum, &blob_[blob_.size() - kChecksumBytes]);
    return KDC_OK;
  }

 private:
  kdc_status FindIndices() {
    if (is_by_index_) {
      num_centroids_ = size_t{1} + reader_.ReadByte();
      if (!coding_.has_codebook()) return KDC_BAD_STREAM;
      for (const uint32_t weight : scan_.weights) {
        if (weight == 0 || weight > num_centroids_) return KDC_BAD_STREAM;
        indices_.push_back(static_cast<uint8_t>(weight - 1));
      }
      return KDC_OK;
    }
    if (!coding_.has_codebook()) return KDC_OK;
    std::vector<uint32_t> codebook = CodebookOf(scan_.weights);
    num_centroids_ = codebook.size();
    if (num_centroids_ == 0) return KDC_BAD_STREAM;
    if (reader_.ReadByte() != 0) {
      // In another order.
      for (size_t i = 0; i < num_centroids_; ++i) {
        const uint8_t place = reader_.ReadByte();
        if (place >= num_centroids_) return KDC_BAD_STREAM;
        codebook_.push_back(codebook[place]);
      }
    } else {
      codebook_ = codebook;
    }
    ValueIndex index_of;
    for (const uint32_t value : codebook_) index_of.Add(value);
    indices_.reserve(scan_.weights.size());
    for (const uint32_t weight : scan_.weights) {
      const size_t index = index_of.Find(weight);
      if (index == ValueIndex::kNone) return KDC_BAD_STREAM;
      indices_.push_back(static_cast<uint8_t>(index));
    }
    return KDC_OK;
  }

  void WriteHeader() {
    blob_.assign(kMagic, kMagic + sizeof(kMagic));
    blob_.push_back(kVersion);
    blob_.push_back(coding_.layout);
    blob_.push_back(coding_.coding);
    blob_.push_back(coding_.rank);
    for (int i = 0; i < tensor_.rank; ++i) {
      WriteVarint(static_cast<uint64_t>(tensor_.shape[i]), &blob_);
    }
    if (coding_.gap_bits() != 0) {
      gaps_ = GapSymbols(scan_.positions, coding_.gap_bits());
      WriteVarint(scan_.weights.size(), &blob_);
      WriteVarint(gaps_.size() - scan_.weights.size(), &blob_);
    }
    if (coding_.has_codebook()) {
      blob_.push_back(static_cast<uint8_t>(num_centroids_ - 1));
    }
  }

  kdc_status CopyNumbers() {
    const auto size = static_cast<size_t>(reader_.ReadVarint());
    if (reader_.malformed()) return KDC_BAD_STREAM;
    const uint8_t* bytes = reader_.ReadBytes(size);
    if (bytes == nullptr) return KDC_BAD_STREAM;
    blob_.insert(blob_.end(), bytes, bytes + size);
    return KDC_OK;
  }

  kdc_status WriteValues() {
    const std::vector<uint32_t>& patterns =
        coding_.has_codebook() ? codebook_ : scan_.weights;
    bool is_half = false;
    PackedNumbers numbers = PackPatterns(patterns, ItemSize(tensor_.dtype));
    if (coding_.is_half()) {
      numbers = PackValues(patterns, tensor_.dtype, &is_half);
      if (!is_half) return KDC_BAD_STREAM;
    }
    if (!coding_.has_line_classes()) return WriteNumbersOf(numbers);
    if (coding_.has_codebook() || scan_.num_lines == 0 ||
        coding_.gap_bits() != 0) {
      return KDC_BAD_STREAM;
    }
    const size_t size = (scan_.num_lines + 7) / 8;
    const uint8_t* bits = reader_.ReadBytes(size);
    if (bits == nullptr) return KDC_BAD_STREAM;
    std::vector<uint8_t> classes;
    for (size_t i = 0; i < scan_.num_lines; ++i) {
      classes.push_back((bits[i / 8] >> (i % 8)) & 1);
    }
    blob_.insert(blob_.end(), bits, bits + size);
    for (const PackedNumbers& part : SplitByClass(
             numbers, scan_.weights.size() / scan_.num_lines, classes)) {
      KDC_RETURN_IF_ERROR(WriteNumbersOf(part));
    }
    return KDC_OK;
  }

  // PACK.md, 3.5: which planes are coded, and their code tables.
  kdc_status WriteNumbersOf(const PackedNumbers& numbers) {
    PlanePlan plan;
    if (coding_.has_value_planes()) {
      plan.coded = reader_.ReadByte();
      plan.lengths.resize(numbers.item_size);
      for (size_t plane = 0; plane < numbers.item_size; ++plane) {
        if ((plan.coded >> plane & 1) == 0) continue;
        CodeLengths& lengths = plan.lengths[plane];
        lengths.resize(kPlaneAlphabet);
        if (ReadCodeLengths(&reader_, &lengths) != KDC_OK) {
          return KDC_BAD_STREAM;
        }
        // Each byte that occurs needs a code.
        for (size_t i = 0; i < numbers.count(); ++i) {
          const size_t at = numbers.item_size * (i + 1) - 1 - plane;
          if (lengths[numbers.bytes[at]] == 0) return KDC_BAD_STREAM;
        }
      }
      if (plan.coded == 0 || plan.coded >> numbers.item_size != 0) {
        return KDC_BAD_STREAM;
      }
    }
    WriteNumbers(numbers, plan,
                 coding_.has_codebook() ? 1 : coding_.num_streams(), &blob_);
    return KDC_OK;
  }

  kdc_status AddStreams(const std::vector<uint8_t>& symbols, size_t alphabet,
                        std::vector<std::vector<uint8_t>>* streams) {
    CodeLengths lengths(alphabet);
    if (ReadCodeLengths(&reader_, &lengths) != KDC_OK) return KDC_BAD_STREAM;
    for (const uint8_t symbol : symbols) {
      if (symbol >= alphabet || lengths[symbol] == 0) return KDC_BAD_STREAM;
    }
    WriteCodeLengths(lengths, &blob_);
    EncodeStreams(symbols, lengths, coding_.num_streams(), streams);
    return KDC_OK;
  }

  kdc_status WriteStreams() {
    std::vector<std::vector<uint8_t>> streams;
    if (num_centroids_ > 1 && !indices_.empty()) {
      KDC_RETURN_IF_ERROR(AddStreams(indices_, num_centroids_, &streams));
    }
    if (!gaps_.empty()) {
      KDC_RETURN_IF_ERROR(
          AddStreams(gaps_, size_t{1} << coding_.gap_bits(), &streams));
    }
    for (size_t i = 0; i + 1 < streams.size(); ++i) {
      WriteVarint(streams[i].size(), &blob_);
    }
    for (const std::vector<uint8_t>& stream : streams) {
      blob_.insert(blob_.end(), stream.begin(), stream.end());
    }
    return KDC_OK;
  }

  const PlainTensor& tensor_;
  bool is_by_index_;
  ByteReader reader_;
  std::vector<uint8_t>& blob_;
  Coding coding_;
  Scan scan_;
  size_t num_centroids_ = 0;
  std::vector<uint32_t> codebook_;
  std::vector<uint8_t> indices_;
  std::vector<uint8_t> gaps_;
};

}  // namespace

kdc_status RewriteHuffman(const PlainTensor& tensor, bool is_by_index,
                          const std::vector<uint8_t>& recipe,
                          std::vector<uint8_t>* blob) {
  return Rewriter(tensor, is_by_index, recipe, blob).Run();
}

}  // namespace keras_dc
