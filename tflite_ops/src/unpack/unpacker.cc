#include "unpack/unpacker.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "bytes/control_coder.h"
#include "bytes/dictionary.h"
#include "bytes/palette_delta.h"
#include "bytes/segment.h"
#include "common/bit_stream.h"
#include "common/crc32.h"
#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/recipe.h"
#include "unpack/huffman_rewriter.h"
#include "unpack/tensor_bytes.h"

namespace keras_dc {
namespace {

constexpr size_t kChunkBytes = 1 << 16;

// A varint of up to 63 bits, as short as possible.
kdc_status ReadNumber(ByteReader* reader, uint64_t* number) {
  *number = 0;
  for (int shift = 0; shift < 63; shift += 7) {
    const uint8_t byte = reader->ReadByte();
    if (reader->truncated()) return KDC_TRUNCATED;
    *number |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      return byte == 0 && shift > 0 ? KDC_BAD_HEADER : KDC_OK;
    }
  }
  return KDC_BAD_HEADER;
}

kdc_status ReadFileId(ByteReader* reader, uint64_t* size, uint32_t* crc) {
  KDC_RETURN_IF_ERROR(ReadNumber(reader, size));
  if (*size > kMostOriginalBytes) return KDC_TOO_LARGE;
  const uint8_t* bytes = reader->ReadBytes(4);
  if (bytes == nullptr) return KDC_TRUNCATED;
  *crc = LoadU32(bytes);
  return KDC_OK;
}

// Replaces each weight, as an unsigned number, by the sum up to it.
void SumUp(DenseTensor* tensor) {
  std::vector<uint32_t> weights = PatternsOf(*tensor);
  std::partial_sum(weights.begin(), weights.end(), weights.begin());
  SetPatterns(weights, tensor);
}

class Unpacker {
 public:
  Unpacker(const PackHead& head, const uint8_t* base, size_t base_size,
           const WriteBytes& write)
      : head_(head),
        base_(base),
        base_size_(base_size),
        write_(write),
        model_(std::make_unique<ByteModel>(
            head.modelled_bytes + (head.has_dictionary ? kDictionarySize : 0))),
        coder_(head.control, head.control_size),
        modelled_left_(head.modelled_bytes) {
    if (head.has_dictionary) LearnDictionary(model_.get());
  }

  kdc_status Run() {
    while (written_ < head_.info.original_size) {
      Segment segment;
      CodeSegment(head_.info.has_base != 0, &segment, &state_, &coder_);
      KDC_RETURN_IF_ERROR(UnpackSegment(segment));
    }
    if (!coder_.AtCleanEnd() || modelled_left_ != 0) return KDC_BAD_STREAM;
    if (payload_ != head_.payloads_size) return KDC_TRAILING_BYTES;
    return crc_ == head_.info.original_crc ? KDC_OK : KDC_BAD_CHECKSUM;
  }

 private:
  uint64_t Left() const { return head_.info.original_size - written_; }

  kdc_status Write(const uint8_t* bytes, size_t size) {
    if (size > Left()) return KDC_BAD_STREAM;
    if (size == 0) return KDC_OK;
    crc_ = Crc32(bytes, size, crc_);
    written_ += size;
    return write_(bytes, size) ? KDC_OK : KDC_WRITE_FAILED;
  }

  // What a tensor may take, so that a small file takes little memory.
  struct TensorLimits {
    uint64_t bytes = 0, weights = 0;
  };
  TensorLimits LimitsOf(const Segment& segment) const {
    // A blob is smaller than its tensor.
    if (segment.is_huffman) {
      return {kMaxWeights * sizeof(uint32_t), kMostWeightsPerByte * Left()};
    }
    return {Left(), kMaxWeights};
  }

  // The next `size` bytes behind the control stream; null if there are fewer.
  const uint8_t* Payload(uint64_t size) {
    if (size > head_.payloads_size - payload_) return nullptr;
    const uint8_t* bytes = head_.payloads + payload_;
    payload_ += static_cast<size_t>(size);
    return bytes;
  }

  bool InBase(uint64_t offset, uint64_t size) const {
    return offset <= base_size_ && size <= base_size_ - offset;
  }

  kdc_status UnpackSegment(const Segment& segment) {
    switch (segment.kind) {
      case SegmentKind::kBytes:
        return UnpackBytes(segment);
      case SegmentKind::kStored: {
        if (segment.size > Left() || segment.size == 0) return KDC_BAD_STREAM;
        const uint8_t* bytes = Payload(segment.size);
        if (bytes == nullptr) return KDC_TRUNCATED;
        return Write(bytes, static_cast<size_t>(segment.size));
      }
      case SegmentKind::kTensor:
        return UnpackTensor(segment);
      case SegmentKind::kCopy:
        if (segment.size > Left() || segment.size == 0 ||
            !InBase(segment.base_offset, segment.size)) {
          return KDC_BAD_STREAM;
        }
        MoveBase(segment, segment.size, &state_);
        return Write(base_ + segment.base_offset,
                     static_cast<size_t>(segment.size));
      case SegmentKind::kOrigin:
        // Twice at one place would not end.
        if (origin_ == written_) return KDC_BAD_STREAM;
        origin_ = written_;
        return KDC_OK;
    }
    return KDC_BAD_STREAM;
  }

  // Codes `size` bytes of the byte model into `bytes`.
  kdc_status ReadModelled(const ByteRun& run, uint64_t size,
                          std::vector<uint8_t>* bytes) {
    if (size > modelled_left_) return KDC_BAD_STREAM;
    modelled_left_ -= size;
    model_->BeginRun(run);
    for (uint64_t i = 0; i < size; ++i) {
      bytes->push_back(CodeByte(0, model_.get(), &coder_));
    }
    return KDC_OK;
  }

  kdc_status UnpackBytes(const Segment& segment) {
    if (segment.size > Left() || segment.size == 0 ||
        segment.size > modelled_left_) {
      return KDC_BAD_STREAM;
    }
    ByteRun run;
    run.kind = segment.byte_kind;
    run.position = written_ - origin_;
    run.row_bytes = segment.row_bytes;
    if (segment.has_base) {
      if (segment.base_offset > base_size_) return KDC_BAD_STREAM;
      run.base = base_ + segment.base_offset;
      run.base_size = base_size_ - static_cast<size_t>(segment.base_offset);
      MoveBase(segment, segment.size, &state_);
    }
    model_->BeginRun(run);
    modelled_left_ -= segment.size;
    std::vector<uint8_t> chunk;
    for (uint64_t left = segment.size; left > 0; left -= chunk.size()) {
      chunk.resize(static_cast<size_t>(std::min<uint64_t>(left, kChunkBytes)));
      for (uint8_t& byte : chunk) byte = CodeByte(0, model_.get(), &coder_);
      KDC_RETURN_IF_ERROR(Write(chunk.data(), chunk.size()));
    }
    return KDC_OK;
  }

  // What of the base's blob is not its values helps to predict the recipe.
  kdc_status ReadRecipe(const Segment& segment, std::vector<uint8_t>* recipe) {
    std::vector<uint8_t> old_recipe;
    ByteRun run = RecipeRun();
    if (segment.source == TensorSource::kBase && segment.base_is_blob) {
      if (!InBase(segment.base_offset, segment.base_size)) {
        return KDC_BAD_STREAM;
      }
      if (MakeRecipe(base_ + segment.base_offset,
                     static_cast<size_t>(segment.base_size),
                     segment.is_by_index, &old_recipe) == KDC_OK) {
        run.base = old_recipe.data();
        run.base_size = old_recipe.size();
      }
    }
    KDC_RETURN_IF_ERROR(ReadModelled(run, segment.recipe_size, recipe));
    model_->BeginRun(RecipeRun());
    return KDC_OK;
  }

  kdc_status UnpackTensor(const Segment& segment) {
    if (static_cast<uint32_t>(segment.source) >= kNumTensorSources) {
      return KDC_BAD_STREAM;
    }
    std::vector<uint8_t> recipe;
    if (segment.is_huffman) {
      KDC_RETURN_IF_ERROR(ReadRecipe(segment, &recipe));
    }
    const TensorLimits limits = LimitsOf(segment);
    DenseTensor tensor;
    if (segment.source != TensorSource::kBase) {
      const uint8_t* body = Payload(segment.payload_size);
      if (body == nullptr) return KDC_TRUNCATED;
      const std::vector<uint8_t> blob =
          WholeBlob(body, static_cast<size_t>(segment.payload_size));
      KDC_RETURN_IF_ERROR(DecodeTensor(blob.data(), blob.size(), limits.bytes,
                                       limits.weights, &tensor));
    }
    if (segment.source != TensorSource::kBlob) {
      KDC_RETURN_IF_ERROR(TakeBase(segment, limits, &tensor));
    }
    if (segment.is_summed) SumUp(&tensor);
    if (!segment.is_huffman) {
      PackInt4(&tensor);
      if (tensor.items.empty()) return KDC_BAD_STREAM;
      return Write(tensor.items.data(), tensor.items.size());
    }
    PlainTensor plain;
    plain.dtype = tensor.dtype;
    plain.rank = tensor.rank;
    std::copy(tensor.shape, tensor.shape + KDC_MAX_RANK, plain.shape);
    plain.weights = PatternsOf(tensor);
    tensor.items = {};
    std::vector<uint8_t> blob;
    KDC_RETURN_IF_ERROR(
        RewriteHuffman(plain, segment.is_by_index, recipe, &blob));
    return Write(blob.data(), blob.size());
  }

  kdc_status ReadBaseTensor(const Segment& segment, const TensorLimits& limits,
                            DenseTensor* old) {
    if (segment.base_is_blob) {
      if (!InBase(segment.base_offset, segment.base_size)) {
        return KDC_BAD_STREAM;
      }
      MoveBase(segment, segment.base_size, &state_);
      return DecodeTensor(base_ + segment.base_offset,
                          static_cast<size_t>(segment.base_size), limits.bytes,
                          limits.weights, old);
    }
    uint64_t count = 1;
    if (old->rank > KDC_MAX_RANK || ItemSize(old->dtype) == 0) {
      return KDC_BAD_STREAM;
    }
    for (int32_t i = 0; i < old->rank; ++i) {
      const auto dim = static_cast<uint64_t>(old->shape[i]);
      if (dim > kMaxWeights || (dim != 0 && count > kMaxWeights / dim)) {
        return KDC_TOO_LARGE;
      }
      count *= dim;
    }
    const uint64_t size = StoredBytes(old->dtype, count);
    if (count > limits.weights || size > limits.bytes) return KDC_TOO_LARGE;
    if (!InBase(segment.base_offset, size)) return KDC_BAD_STREAM;
    MoveBase(segment, size, &state_);
    ReadStored(base_ + segment.base_offset, old);
    return KDC_OK;
  }

  // PACK.md, 3.4: adds a tensor of the base, or codes what differs from it.
  kdc_status TakeBase(const Segment& segment, const TensorLimits& limits,
                      DenseTensor* tensor) {
    DenseTensor old;
    if (segment.source == TensorSource::kDifference) {
      old.dtype = tensor->dtype;
      old.rank = tensor->rank;
      std::copy(tensor->shape, tensor->shape + KDC_MAX_RANK, old.shape);
    } else {
      old.dtype = segment.dtype;
      old.rank = segment.rank;
      std::copy(segment.shape, segment.shape + KDC_MAX_RANK, old.shape);
    }
    KDC_RETURN_IF_ERROR(ReadBaseTensor(segment, limits, &old));
    if (segment.source == TensorSource::kDifference) {
      if (old.dtype != tensor->dtype ||
          old.items.size() != tensor->items.size() || old.dtype == KDC_INT4) {
        return KDC_BAD_STREAM;
      }
      std::vector<uint32_t> weights = PatternsOf(*tensor);
      const std::vector<uint32_t> olds = PatternsOf(old);
      for (size_t i = 0; i < weights.size(); ++i) weights[i] += olds[i];
      SetPatterns(weights, tensor);
      return KDC_OK;
    }
    return ReadPaletteDelta(&old, tensor);
  }

  // PACK.md, 3.6.
  kdc_status ReadPaletteDelta(DenseTensor* old, DenseTensor* tensor) {
    ValuePalette before;
    if (!MakePalette(PatternsOf(*old), &before)) return KDC_BAD_STREAM;
    ControlModels& models = state_.models;
    const uint64_t num_values = models.palette_size.Code(0, &coder_);
    if (num_values > kMostPaletteValues) return KDC_BAD_STREAM;
    const size_t item_size = ItemSize(old->dtype);
    std::vector<uint8_t> values, old_values;
    for (const uint32_t value : before.values) {
      for (size_t k = 0; k < item_size; ++k) {
        old_values.push_back(static_cast<uint8_t>(value >> (8 * k)));
      }
    }
    ByteRun run;
    run.kind = item_size == 4   ? ByteKind::kWords
               : item_size == 2 ? ByteKind::kPairs
                                : ByteKind::kInt8;
    run.base = old_values.data();
    run.base_size = old_values.size();
    KDC_RETURN_IF_ERROR(ReadModelled(run, num_values * item_size, &values));
    model_->BeginRun(RecipeRun());
    const bool is_same = CodeBit(0, &models.is_same, &coder_) != 0;
    SymbolDelta delta(static_cast<size_t>(num_values) + 1);
    std::vector<uint32_t> weights(before.symbols.size());
    for (size_t i = 0; i < weights.size(); ++i) {
      uint16_t symbol = before.symbols[i];
      if (!is_same) symbol = delta.Code(0, symbol, &coder_);
      if (symbol > num_values) return KDC_BAD_STREAM;
      for (size_t k = 0; symbol != 0 && k < item_size; ++k) {
        weights[i] |=
            static_cast<uint32_t>(values[item_size * (symbol - 1u) + k])
            << (8 * k);
      }
    }
    *tensor = std::move(*old);
    SetPatterns(weights, tensor);
    return KDC_OK;
  }

  const PackHead& head_;
  const uint8_t* base_;
  size_t base_size_;
  const WriteBytes& write_;
  std::unique_ptr<ByteModel> model_;
  ReadingCoder coder_;
  SegmentState state_;
  uint64_t modelled_left_;
  uint64_t written_ = 0;
  uint64_t origin_ = 0;
  size_t payload_ = 0;
  uint32_t crc_ = 0;
};

}  // namespace

kdc_status ReadPackHead(const uint8_t* packed, size_t size, PackHead* head) {
  if (packed == nullptr) return KDC_INVALID_ARGUMENT;
  *head = PackHead();
  ByteReader reader(packed, size);
  const uint8_t* magic = reader.ReadBytes(sizeof(kPackMagic));
  if (magic == nullptr) return KDC_TRUNCATED;
  if (std::memcmp(magic, kPackMagic, sizeof(kPackMagic)) != 0) {
    return KDC_BAD_MAGIC;
  }
  const uint8_t version = reader.ReadByte();
  const uint8_t flags = reader.ReadByte();
  if (reader.truncated()) return KDC_TRUNCATED;
  if (version != kPackVersion) return KDC_UNSUPPORTED_VERSION;
  if ((flags & ~kPackFlags) != 0) return KDC_BAD_HEADER;
  head->has_dictionary = (flags & kPackDictionaryBit) != 0;
  kdc_pack_info& info = head->info;
  KDC_RETURN_IF_ERROR(
      ReadFileId(&reader, &info.original_size, &info.original_crc));
  info.has_base = (flags & kPackBaseBit) != 0 ? 1 : 0;
  if (info.has_base != 0) {
    KDC_RETURN_IF_ERROR(ReadFileId(&reader, &info.base_size, &info.base_crc));
  }
  KDC_RETURN_IF_ERROR(ReadNumber(&reader, &head->modelled_bytes));
  if (head->modelled_bytes > MostModelledBytes(info.original_size)) {
    return KDC_BAD_HEADER;
  }
  uint64_t control_size = 0;
  KDC_RETURN_IF_ERROR(ReadNumber(&reader, &control_size));
  if (control_size > reader.remaining()) return KDC_TRUNCATED;
  head->control_size = static_cast<size_t>(control_size);
  head->control = reader.ReadBytes(head->control_size);
  head->payloads_size = reader.remaining();
  head->payloads = reader.current();
  return KDC_OK;
}

kdc_status Unpack(const PackHead& head, const uint8_t* base, size_t base_size,
                  const WriteBytes& write) {
  const kdc_pack_info& info = head.info;
  if ((info.has_base != 0) != (base != nullptr)) return KDC_WRONG_BASE;
  if (info.has_base != 0 && (info.base_size != base_size ||
                             info.base_crc != Crc32(base, base_size))) {
    return KDC_WRONG_BASE;
  }
  return UnpackSegments(head, base, base_size, write);
}

kdc_status UnpackSegments(const PackHead& head, const uint8_t* base,
                          size_t base_size, const WriteBytes& write) {
  return Unpacker(head, base, base_size, write).Run();
}

}  // namespace keras_dc
