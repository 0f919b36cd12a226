#include "decode/small/symbol_cursor.h"

#include "common/code_table.h"
#include "common/return_if_error.h"

namespace keras_dc {

// Of the alphabets: bytes, centroids and gaps.
static_assert(kPlaneAlphabet >= kMaxCentroids &&
                  kPlaneAlphabet >= size_t{1} << kMaxGapBits,
              "else a code has more lengths");

kdc_status SmallCode::Open(ByteReader* reader, size_t alphabet, Arena* arena) {
  uint8_t lengths[kPlaneAlphabet];
  KDC_RETURN_IF_ERROR(ReadCodeLengths(reader, alphabet, lengths));
  size_t num_present = 0;
  for (size_t i = 0; i < alphabet; ++i) {
    if (lengths[i] == 0) continue;
    ++counts_[lengths[i]];
    ++num_present;
  }
  uint8_t* symbols = arena->Take(num_present);
  if (symbols == nullptr) return KDC_OUT_OF_MEMORY;
  symbols_ = symbols;
  for (int length = 1; length <= kMaxCodeLength; ++length) {
    for (size_t i = 0; i < alphabet; ++i) {
      if (lengths[i] == length) *symbols++ = static_cast<uint8_t>(i);
    }
  }
  if (num_present == 1) counts_[0] = 1;
  return KDC_OK;
}

uint8_t SmallCode::Next(BitReader* bits) const {
  if (counts_[0] == 1) return symbols_[0];
  uint32_t pattern = bits->Peek(kMaxCodeLength);
  // The code read so far, and the first one of its length; both less the first
  // code of that length, since only the difference counts.
  uint32_t offset = 0;
  const uint8_t* symbols = symbols_;
  for (int length = 1; length < kMaxCodeLength; ++length) {
    offset = 2 * offset + (pattern & 1);
    pattern >>= 1;
    const uint32_t count = counts_[length];
    if (offset < count) {
      bits->Skip(length);
      return symbols[offset];
    }
    offset -= count;
    symbols += count;
  }
  // The code is complete.
  bits->Skip(kMaxCodeLength);
  return symbols[2 * offset + (pattern & 1)];
}

kdc_status SymbolCursor::Open(ByteReader* reader, size_t alphabet,
                              size_t num_symbols, Arena* arena) {
  num_symbols_ = num_symbols;
  return code_.Open(reader, alphabet, arena);
}

void SymbolCursor::Begin(const ByteRange* streams, int num_streams) {
  end_ = streams[0].bytes;
  num_streams_ = num_streams;
  for (int i = 0; i < num_streams; ++i) sizes_[i] = streams[i].size;
}

kdc_status SymbolCursor::NextStream() {
  if (stream_ >= 0 && !bits_.AtCleanEnd()) return KDC_BAD_STREAM;
  ++stream_;
  if (stream_ == num_streams_) return KDC_OK;
  const SymbolRange range = StreamRange(num_symbols_, num_streams_, stream_);
  num_left_ = range.end - range.begin;
  bits_ = BitReader(end_, sizes_[stream_]);
  end_ += sizes_[stream_];
  return KDC_OK;
}

kdc_status SymbolCursor::Next(uint8_t* symbol) {
  while (num_left_ == 0) {
    if (stream_ == num_streams_) return KDC_BAD_STREAM;
    KDC_RETURN_IF_ERROR(NextStream());
  }
  --num_left_;
  *symbol = code_.Next(&bits_);
  return bits_.overrun() ? KDC_BAD_STREAM : KDC_OK;
}

kdc_status SymbolCursor::Finish() {
  while (stream_ < num_streams_) KDC_RETURN_IF_ERROR(NextStream());
  return KDC_OK;
}

}  // namespace keras_dc
