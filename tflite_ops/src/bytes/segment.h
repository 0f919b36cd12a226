// The head of a segment in the control stream (PACK.md, 3).
#ifndef KERAS_DC_SRC_BYTES_SEGMENT_H_
#define KERAS_DC_SRC_BYTES_SEGMENT_H_

#include <cstddef>
#include <cstdint>

#include "bytes/byte_model.h"
#include "bytes/control_coder.h"
#include "common/pack_format.h"
#include "keras_dc/codec.h"

namespace keras_dc {

struct Segment {
  SegmentKind kind = SegmentKind::kBytes;
  uint64_t size = 0;  // of bytes, stored bytes, and copies
  // Of bytes.
  ByteKind byte_kind = ByteKind::kGraph;
  uint64_t row_bytes = 0;
  // Of what has a counterpart in the base: where that begins.
  bool has_base = false;
  uint64_t base_offset = 0;
  // Of a tensor.
  TensorSource source = TensorSource::kBlob;
  bool is_huffman = false;   // what comes out is a Huffman-coded blob
  bool is_by_index = false;  // values are 0 or one more than the index
  bool is_summed = false;    // what comes out are the sums up to each value
  uint64_t recipe_size = 0;
  uint64_t payload_size = 0;  // of the blob without magic and checksum
  // Of a tensor beside one of the base.
  bool base_is_blob = false;
  uint64_t base_size = 0;  // of that blob
  int32_t dtype = KDC_FLOAT32;
  int32_t rank = 0;
  int64_t shape[KDC_MAX_RANK] = {};
};

// What the heads of segments learn from those before.
struct SegmentState {
  ControlModels models;
  size_t last_kind = 0;
  uint64_t next_base = 0;  // where the base goes on
};

template <typename Coder>
void CodeBaseOffset(Segment* segment, SegmentState* state, Coder* coder) {
  ControlModels& models = state->models;
  const bool back = segment->base_offset < state->next_base;
  const uint64_t step = back ? state->next_base - segment->base_offset
                             : segment->base_offset - state->next_base;
  const bool is_back = CodeBit(back ? 1 : 0, &models.is_backward, coder) != 0;
  const uint64_t coded = models.base_step.Code(step, coder);
  segment->base_offset =
      is_back ? state->next_base - coded : state->next_base + coded;
}

template <typename Coder>
void CodeTensorHead(bool has_file_base, Segment* segment, SegmentState* state,
                    Coder* coder) {
  ControlModels& models = state->models;
  const auto flag = [&](bool value, AdaptiveProbability* adaptive) {
    return CodeBit(value ? 1 : 0, adaptive, coder) != 0;
  };
  segment->is_huffman = flag(segment->is_huffman, &models.is_huffman);
  if (segment->is_huffman) {
    segment->is_by_index = flag(segment->is_by_index, &models.is_by_index);
    segment->recipe_size = models.recipe_size.Code(segment->recipe_size, coder);
  } else {
    segment->is_summed = flag(segment->is_summed, &models.is_summed);
  }
  if (has_file_base) {
    segment->source = static_cast<TensorSource>(
        models.source.Code(static_cast<uint32_t>(segment->source), coder));
  }
  if (segment->source != TensorSource::kBase) {
    segment->payload_size =
        models.payload_size.Code(segment->payload_size, coder);
  }
  if (segment->source == TensorSource::kBlob) return;
  CodeBaseOffset(segment, state, coder);
  segment->base_is_blob = flag(segment->base_is_blob, &models.is_blob);
  if (segment->base_is_blob) {
    segment->base_size = models.blob_size.Code(segment->base_size, coder);
  } else if (segment->source == TensorSource::kBase) {
    segment->dtype = static_cast<int32_t>(
        models.dtype.Code(static_cast<uint32_t>(segment->dtype), coder));
    segment->rank = static_cast<int32_t>(
        models.rank.Code(static_cast<uint32_t>(segment->rank), coder));
    for (int32_t i = 0; i < segment->rank && i < KDC_MAX_RANK; ++i) {
      segment->shape[i] = static_cast<int64_t>(models.dimension.Code(
          static_cast<uint64_t>(segment->shape[i]), coder));
    }
  }
}

// Codes what `*segment` says, or sets it. `has_file_base` tells whether there
// is a base at all.
template <typename Coder>
void CodeSegment(bool has_file_base, Segment* segment, SegmentState* state,
                 Coder* coder) {
  ControlModels& models = state->models;
  const auto flag = [&](bool value, AdaptiveProbability* adaptive) {
    return CodeBit(value ? 1 : 0, adaptive, coder) != 0;
  };
  segment->kind = static_cast<SegmentKind>(models.kind[state->last_kind].Code(
      static_cast<uint32_t>(segment->kind), coder));
  switch (segment->kind) {
    case SegmentKind::kBytes:
      segment->size = models.byte_count.Code(segment->size, coder);
      segment->byte_kind = static_cast<ByteKind>(models.byte_kind.Code(
          static_cast<uint32_t>(segment->byte_kind), coder));
      if (segment->byte_kind != ByteKind::kGraph &&
          flag(segment->row_bytes != 0, &models.has_rows)) {
        segment->row_bytes = models.row_bytes.Code(segment->row_bytes, coder);
      }
      if (has_file_base) {
        segment->has_base = flag(segment->has_base, &models.has_base);
        if (segment->has_base) CodeBaseOffset(segment, state, coder);
      }
      break;
    case SegmentKind::kStored:
      segment->size = models.stored_size.Code(segment->size, coder);
      break;
    case SegmentKind::kTensor:
      CodeTensorHead(has_file_base, segment, state, coder);
      break;
    case SegmentKind::kCopy:
      segment->size = models.copy_size.Code(segment->size, coder);
      CodeBaseOffset(segment, state, coder);
      break;
    default:
      return;
  }
  state->last_kind = static_cast<size_t>(segment->kind);
}

// Where the base goes on behind a segment that took `size` bytes of it.
inline void MoveBase(const Segment& segment, uint64_t size,
                     SegmentState* state) {
  state->next_base = segment.base_offset + size;
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_SEGMENT_H_
