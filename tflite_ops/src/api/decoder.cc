// The C ABI of the decoder for small machines.
#include "keras_dc/decoder.h"

#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/small/small_decoder.h"

// What kdc_decoder_open gives.
struct kdc_decoder {
  keras_dc::SmallDecoder decoder;
};

namespace {

using keras_dc::NumberCursor;
using keras_dc::SymbolCursor;

constexpr size_t AtMost(size_t a, size_t b) { return a > b ? a : b; }

// Two line classes have a coded plane for each byte of a float32. A codebook by
// planes has a plane at a time, and then the codes of indices and gaps.
constexpr size_t kCodedPlane =
    sizeof(SymbolCursor) + alignof(SymbolCursor) + keras_dc::kPlaneAlphabet;
constexpr size_t kMostMemory =
    alignof(kdc_decoder) + sizeof(kdc_decoder) +
    AtMost(2 * NumberCursor::kMaxPlanes * kCodedPlane,
           keras_dc::kMaxCentroids * sizeof(double) + 2 * kCodedPlane);
static_assert(kMostMemory <= KDC_DECODER_MEMORY_BYTES,
              "else a blob may need more");

size_t ItemSize(const kdc_decoder& decoder) {
  return keras_dc::ItemSize(decoder.decoder.header().info.dtype);
}

}  // namespace

int32_t kdc_decoder_open(const uint8_t* bytes, size_t size, void* memory,
                         size_t memory_size, kdc_decoder** decoder) {
  if (decoder == nullptr) return KDC_INVALID_ARGUMENT;
  *decoder = nullptr;
  if (bytes == nullptr || memory == nullptr) return KDC_INVALID_ARGUMENT;
  keras_dc::Arena arena(memory, memory_size);
  auto* opened = arena.Make<kdc_decoder>();
  if (opened == nullptr) return KDC_OUT_OF_MEMORY;
  KDC_RETURN_IF_ERROR(opened->decoder.Open(bytes, size, arena));
  *decoder = opened;
  return KDC_OK;
}

int32_t kdc_decoder_get_info(const kdc_decoder* decoder, kdc_blob_info* info) {
  if (decoder == nullptr || info == nullptr) return KDC_INVALID_ARGUMENT;
  *info = decoder->decoder.header().info;
  return KDC_OK;
}

size_t kdc_decoder_num_lines(const kdc_decoder* decoder) {
  return decoder == nullptr ? 0 : decoder->decoder.num_lines();
}

size_t kdc_decoder_line_size(const kdc_decoder* decoder) {
  return decoder == nullptr
             ? 0
             : ItemSize(*decoder) * decoder->decoder.line_length();
}

int32_t kdc_decoder_next_line(kdc_decoder* decoder, void* values,
                              size_t values_size) {
  if (decoder == nullptr || values == nullptr) return KDC_INVALID_ARGUMENT;
  keras_dc::SmallDecoder& lines = decoder->decoder;
  if (values_size != kdc_decoder_line_size(decoder)) {
    return KDC_WRONG_BUFFER_SIZE;
  }
  if (lines.status() == KDC_OK && lines.line() == lines.num_lines()) {
    return KDC_INVALID_ARGUMENT;
  }
  return lines.NextLine(static_cast<uint8_t*>(values), ItemSize(*decoder));
}

int32_t kdc_decoder_decode(kdc_decoder* decoder, void* values,
                           size_t values_size) {
  if (decoder == nullptr) return KDC_INVALID_ARGUMENT;
  keras_dc::SmallDecoder& lines = decoder->decoder;
  const size_t item_size = ItemSize(*decoder);
  const auto num_weights = static_cast<size_t>(lines.header().info.num_weights);
  if (values_size % item_size != 0 || values_size / item_size != num_weights) {
    return KDC_WRONG_BUFFER_SIZE;
  }
  if (num_weights == 0) return KDC_OK;
  if (values == nullptr || lines.line() != 0) return KDC_INVALID_ARGUMENT;
  const bool is_by_rows = lines.header().is_by_rows();
  const size_t line_step =
      item_size * (is_by_rows ? lines.line_length() : size_t{1});
  const size_t stride =
      item_size * (is_by_rows ? size_t{1} : lines.num_lines());
  auto* out = static_cast<uint8_t*>(values);
  for (size_t line = 0; line < lines.num_lines(); ++line) {
    KDC_RETURN_IF_ERROR(lines.NextLine(out + line * line_step, stride));
  }
  return KDC_OK;
}
