#include "pack/packer.h"

#include <algorithm>
#include <memory>

#include "bytes/control_coder.h"
#include "bytes/dictionary.h"
#include "bytes/palette_delta.h"
#include "bytes/segment.h"
#include "common/bit_stream.h"
#include "common/crc32.h"
#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/blob_reader.h"
#include "decode/recipe.h"

namespace keras_dc {
namespace {

// New values beside the old ones that they took the place of; those that took
// no one's stand behind. `symbols` are changed with them.
void OrderAsBefore(const ValuePalette& before, ValuePalette* palette) {
  const size_t num_old = before.values.size() + 1;
  const size_t num_new = palette->values.size() + 1;
  std::vector<uint32_t> counts(num_old * num_new, 0);
  for (size_t i = 0; i < palette->symbols.size(); ++i) {
    ++counts[before.symbols[i] * num_new + palette->symbols[i]];
  }
  std::vector<uint16_t> order;
  std::vector<bool> taken(num_new, false);
  for (size_t old = 1; old < num_old; ++old) {
    size_t best = 0;
    for (size_t value = 1; value < num_new; ++value) {
      if (taken[value]) continue;
      const uint32_t count = counts[old * num_new + value];
      if (count > (best == 0 ? 0 : counts[old * num_new + best])) best = value;
    }
    if (best == 0) break;
    taken[best] = true;
    order.push_back(static_cast<uint16_t>(best));
  }
  for (size_t value = 1; value < num_new; ++value) {
    if (!taken[value]) order.push_back(static_cast<uint16_t>(value));
  }
  std::vector<uint32_t> values;
  std::vector<uint16_t> moved(num_new, 0);
  for (size_t i = 0; i < order.size(); ++i) {
    values.push_back(palette->values[order[i] - 1u]);
    moved[order[i]] = static_cast<uint16_t>(i + 1);
  }
  palette->values = std::move(values);
  for (uint16_t& symbol : palette->symbols) symbol = moved[symbol];
}

class Packer {
 public:
  Packer(const ByteSpan& original, const ByteSpan& base,
         uint64_t modelled_bytes)
      : original_(original),
        base_(base),
        model_(std::make_unique<ByteModel>(modelled_bytes + kDictionarySize)),
        coder_(&control_) {
    LearnDictionary(model_.get());
  }

  kdc_status Add(const kdc_part& part, const PartTensors& tensors,
                 const std::vector<uint8_t>& recipe) {
    Segment segment = SegmentOf(part);
    segment.recipe_size = recipe.size();
    const uint8_t* bytes = original_.bytes + written_;
    CodeSegment(base_.bytes != nullptr, &segment, &state_, &coder_);
    switch (segment.kind) {
      case SegmentKind::kBytes:
        AddBytes(segment, bytes);
        break;
      case SegmentKind::kStored:
        payloads_.insert(payloads_.end(), bytes, bytes + segment.size);
        break;
      case SegmentKind::kTensor:
        KDC_RETURN_IF_ERROR(AddTensor(segment, part, tensors, recipe));
        break;
      case SegmentKind::kCopy:
        if (!std::equal(bytes, bytes + segment.size,
                        base_.bytes + segment.base_offset)) {
          return KDC_INVALID_ARGUMENT;
        }
        MoveBase(segment, segment.size, &state_);
        break;
      case SegmentKind::kOrigin:
        origin_ = written_;
        break;
    }
    written_ += part.size;
    return KDC_OK;
  }

  size_t size() const { return control_.size() + payloads_.size(); }

  std::vector<uint8_t> Finish(uint64_t modelled_bytes) {
    coder_.Finish();
    std::vector<uint8_t> packed(kPackMagic, kPackMagic + sizeof(kPackMagic));
    packed.push_back(kPackVersion);
    packed.push_back(static_cast<uint8_t>(
        kPackDictionaryBit | (base_.bytes != nullptr ? kPackBaseBit : 0)));
    AddFileId(original_, &packed);
    if (base_.bytes != nullptr) AddFileId(base_, &packed);
    WriteVarint(modelled_bytes, &packed);
    WriteVarint(control_.size(), &packed);
    packed.insert(packed.end(), control_.begin(), control_.end());
    packed.insert(packed.end(), payloads_.begin(), payloads_.end());
    return packed;
  }

 private:
  static Segment SegmentOf(const kdc_part& part) {
    Segment segment;
    segment.kind = static_cast<SegmentKind>(part.kind);
    segment.size = part.size;
    segment.byte_kind = static_cast<ByteKind>(part.byte_kind);
    segment.row_bytes = part.row_bytes;
    segment.has_base = part.has_base != 0;
    segment.base_offset = part.base_offset;
    segment.source = static_cast<TensorSource>(part.source);
    segment.is_huffman = part.is_huffman != 0;
    segment.is_by_index = part.is_by_index != 0;
    segment.is_summed = part.is_summed != 0;
    segment.payload_size = part.blob == nullptr
                               ? 0
                               : part.blob_size - kMagicBytes - kChecksumBytes;
    segment.base_is_blob = part.base_is_blob != 0;
    segment.base_size = part.base_size;
    segment.dtype = part.dtype;
    segment.rank = part.rank;
    std::copy(part.shape, part.shape + KDC_MAX_RANK, segment.shape);
    return segment;
  }

  static void AddFileId(const ByteSpan& file, std::vector<uint8_t>* packed) {
    WriteVarint(file.size, packed);
    packed->resize(packed->size() + 4);
    StoreU32(Crc32(file.bytes, file.size), &(*packed)[packed->size() - 4]);
  }

  void CodeRun(const ByteRun& run, const uint8_t* bytes, size_t size) {
    model_->BeginRun(run);
    for (size_t i = 0; i < size; ++i) {
      CodeByte(bytes[i], model_.get(), &coder_);
    }
  }

  void AddBytes(const Segment& segment, const uint8_t* bytes) {
    ByteRun run;
    run.kind = segment.byte_kind;
    run.position = written_ - origin_;
    run.row_bytes = segment.row_bytes;
    if (segment.has_base) {
      run.base = base_.bytes + segment.base_offset;
      run.base_size = base_.size - static_cast<size_t>(segment.base_offset);
      MoveBase(segment, segment.size, &state_);
    }
    CodeRun(run, bytes, static_cast<size_t>(segment.size));
  }

  kdc_status AddTensor(const Segment& segment, const kdc_part& part,
                       const PartTensors& tensors,
                       const std::vector<uint8_t>& recipe) {
    if (segment.is_huffman) {
      std::vector<uint8_t> old_recipe;
      ByteRun run = RecipeRun();
      if (segment.source == TensorSource::kBase && segment.base_is_blob &&
          MakeRecipe(base_.bytes + segment.base_offset,
                     static_cast<size_t>(segment.base_size),
                     segment.is_by_index, &old_recipe) == KDC_OK) {
        run.base = old_recipe.data();
        run.base_size = old_recipe.size();
      }
      CodeRun(run, recipe.data(), recipe.size());
      model_->BeginRun(RecipeRun());
    }
    if (segment.source != TensorSource::kBase) {
      payloads_.insert(payloads_.end(), part.blob + kMagicBytes,
                       part.blob + part.blob_size - kChecksumBytes);
    }
    if (segment.source == TensorSource::kBlob) return KDC_OK;
    uint64_t base_size = part.base_size;
    if (part.base_is_blob == 0) {
      KDC_RETURN_IF_ERROR(PlainBaseSize(segment, part, tensors, &base_size));
    }
    MoveBase(segment, base_size, &state_);
    if (segment.source == TensorSource::kDifference) return KDC_OK;
    return AddPaletteDelta(tensors);
  }

  // The bytes of a tensor of the base that is no blob. One that is to be added
  // to a blob's has its type and its shape.
  static kdc_status PlainBaseSize(const Segment& segment, const kdc_part& part,
                                  const PartTensors& tensors, uint64_t* size) {
    *size = tensors.base_weights.size() * tensors.item_size;
    if (segment.source != TensorSource::kDifference) return KDC_OK;
    ParsedBlob blob;
    KDC_RETURN_IF_ERROR(ReadBlob(part.blob, part.blob_size, &blob));
    *size = ItemSize(blob.info.dtype) *
            static_cast<uint64_t>(blob.info.num_weights);
    return KDC_OK;
  }

  // PACK.md, 3.6.
  kdc_status AddPaletteDelta(const PartTensors& tensors) {
    ValuePalette before, palette;
    if (tensors.weights.size() != tensors.base_weights.size() ||
        !MakePalette(tensors.base_weights, &before) ||
        !MakePalette(tensors.weights, &palette)) {
      return KDC_INVALID_ARGUMENT;
    }
    OrderAsBefore(before, &palette);
    state_.models.palette_size.Code(palette.values.size(), &coder_);
    const std::vector<uint8_t> values =
        BytesOf(palette.values, tensors.item_size);
    const std::vector<uint8_t> old_values =
        BytesOf(before.values, tensors.item_size);
    ByteRun run;
    run.kind = tensors.item_size == 4   ? ByteKind::kWords
               : tensors.item_size == 2 ? ByteKind::kPairs
                                        : ByteKind::kInt8;
    run.base = old_values.data();
    run.base_size = old_values.size();
    CodeRun(run, values.data(), values.size());
    // The base of that run is gone.
    model_->BeginRun(RecipeRun());
    const bool is_same = palette.symbols == before.symbols;
    CodeBit(is_same ? 1 : 0, &state_.models.is_same, &coder_);
    if (is_same) return KDC_OK;
    SymbolDelta delta(palette.values.size() + 1);
    for (size_t i = 0; i < palette.symbols.size(); ++i) {
      delta.Code(palette.symbols[i], before.symbols[i], &coder_);
    }
    return KDC_OK;
  }

  static std::vector<uint8_t> BytesOf(const std::vector<uint32_t>& values,
                                      size_t item_size) {
    std::vector<uint8_t> bytes;
    for (const uint32_t value : values) {
      for (size_t k = 0; k < item_size; ++k) {
        bytes.push_back(static_cast<uint8_t>(value >> (8 * k)));
      }
    }
    return bytes;
  }

  ByteSpan original_, base_;
  std::unique_ptr<ByteModel> model_;
  std::vector<uint8_t> control_, payloads_;
  WritingCoder coder_;
  SegmentState state_;
  size_t written_ = 0;
  size_t origin_ = 0;
};

bool IsInRange(int32_t value, uint32_t count) {
  return value >= 0 && static_cast<uint32_t>(value) < count;
}

kdc_status CheckPart(const kdc_part& part, size_t left, const ByteSpan& base) {
  const auto kind = static_cast<SegmentKind>(part.kind);
  if (!IsInRange(part.kind, kNumSegmentKinds) ||
      !IsInRange(part.byte_kind, kNumByteKinds) ||
      !IsInRange(part.source, kNumTensorSources) || part.size > left ||
      (part.size == 0) != (kind == SegmentKind::kOrigin)) {
    return KDC_INVALID_ARGUMENT;
  }
  const auto source = static_cast<TensorSource>(part.source);
  const bool is_tensor = kind == SegmentKind::kTensor;
  if (is_tensor && source != TensorSource::kBase &&
      (part.blob == nullptr || part.blob_size < kMagicBytes + kChecksumBytes)) {
    return KDC_INVALID_ARGUMENT;
  }
  const bool needs_base = kind == SegmentKind::kCopy ||
                          (kind == SegmentKind::kBytes && part.has_base != 0) ||
                          (is_tensor && source != TensorSource::kBlob);
  if (!needs_base) return KDC_OK;
  const uint64_t base_size = kind == SegmentKind::kCopy ? part.size : 0;
  if (base.bytes == nullptr || part.base_offset > base.size ||
      base_size > base.size - part.base_offset) {
    return KDC_INVALID_ARGUMENT;
  }
  return KDC_OK;
}

}  // namespace

kdc_status Pack(const ByteSpan& original, const ByteSpan& base,
                const std::vector<kdc_part>& parts,
                const std::vector<PartTensors>& tensors, uint64_t* part_bytes,
                std::vector<uint8_t>* packed) {
  uint64_t modelled_bytes = 0;
  std::vector<std::vector<uint8_t>> recipes(parts.size());
  size_t at = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const kdc_part& part = parts[i];
    KDC_RETURN_IF_ERROR(CheckPart(part, original.size - at, base));
    const auto kind = static_cast<SegmentKind>(part.kind);
    if (kind == SegmentKind::kBytes) modelled_bytes += part.size;
    if (kind == SegmentKind::kTensor) {
      if (part.is_huffman != 0) {
        KDC_RETURN_IF_ERROR(MakeRecipe(original.bytes + at,
                                       static_cast<size_t>(part.size),
                                       part.is_by_index != 0, &recipes[i]));
        modelled_bytes += recipes[i].size();
      }
      if (static_cast<TensorSource>(part.source) == TensorSource::kBase) {
        ValuePalette palette;
        if (!MakePalette(tensors[i].weights, &palette)) {
          return KDC_INVALID_ARGUMENT;
        }
        modelled_bytes += palette.values.size() * tensors[i].item_size;
      }
    }
    at += static_cast<size_t>(part.size);
  }
  if (at != original.size ||
      modelled_bytes > MostModelledBytes(original.size)) {
    return KDC_INVALID_ARGUMENT;
  }
  Packer packer(original, base, modelled_bytes);
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t before = packer.size();
    KDC_RETURN_IF_ERROR(packer.Add(parts[i], tensors[i], recipes[i]));
    if (part_bytes != nullptr) part_bytes[i] = packer.size() - before;
  }
  *packed = packer.Finish(modelled_bytes);
  return KDC_OK;
}

}  // namespace keras_dc
