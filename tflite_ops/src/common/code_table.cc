#include "common/code_table.h"

#include <algorithm>

namespace keras_dc {
namespace {

bool ReadRun(BitReader* reader, size_t* run) {
  int extra_bits = 0;
  while (reader->Read(1) == 0) {
    if (++extra_bits > kMaxRunBits || reader->overrun()) return false;
  }
  *run = (size_t{1} << extra_bits) + reader->Read(extra_bits);
  return true;
}

bool ReadStep(BitReader* reader, int* step) {
  int rank = 0;
  while (reader->Read(1) == 1) {
    if (++rank >= 2 * kMaxStep) return false;
  }
  *step = rank % 2 == 0 ? rank / 2 + 1 : -(rank / 2 + 1);
  return true;
}

// Whether Kraft's sum is 1: then every bit pattern begins with a code. A lone
// symbol is the exception: its length is 1 by definition.
bool IsComplete(const uint8_t* lengths, size_t num_symbols) {
  uint32_t kraft = 0, num_present = 0;
  for (size_t i = 0; i < num_symbols; ++i) {
    if (lengths[i] == 0) continue;
    kraft += uint32_t{1} << (kMaxCodeLength - lengths[i]);
    ++num_present;
  }
  return kraft == uint32_t{1} << kMaxCodeLength ||
         (num_present == 1 && kraft == uint32_t{1} << (kMaxCodeLength - 1));
}

}  // namespace

kdc_status ReadCodeLengths(ByteReader* reader, size_t num_symbols,
                           uint8_t* lengths) {
  BitReader bits(reader->current(), reader->remaining());
  int length = static_cast<int>(bits.Read(kFirstLengthBits));
  for (size_t begin = 0; begin < num_symbols;) {
    size_t run = 0;
    if (!ReadRun(&bits, &run)) {
      return bits.overrun() ? KDC_TRUNCATED : KDC_BAD_CODE_TABLE;
    }
    if (length < 1 || length > kAbsentLength || run > num_symbols - begin) {
      return KDC_BAD_CODE_TABLE;
    }
    std::fill_n(lengths + begin, run,
                static_cast<uint8_t>(length == kAbsentLength ? 0 : length));
    begin += run;
    if (begin < num_symbols) {
      int step = 0;
      if (!ReadStep(&bits, &step)) return KDC_BAD_CODE_TABLE;
      length += step;
    }
  }
  if (bits.overrun()) return KDC_TRUNCATED;
  const uint8_t* table = reader->ReadBytes(bits.bytes_used());
  if (table == nullptr) return KDC_TRUNCATED;
  // The padding must be zero, so that a code has one table only.
  BitReader whole(table, bits.bytes_used());
  whole.Seek(bits.position());
  if (!whole.AtCleanEnd() || !IsComplete(lengths, num_symbols)) {
    return KDC_BAD_CODE_TABLE;
  }
  return KDC_OK;
}

}  // namespace keras_dc
