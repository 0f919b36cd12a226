// Reads stored numbers one by one (FORMAT.md, 4): values without a codebook.
#ifndef KERAS_DC_SRC_DECODE_SMALL_NUMBER_CURSOR_H_
#define KERAS_DC_SRC_DECODE_SMALL_NUMBER_CURSOR_H_

#include <cstddef>
#include <cstdint>

#include "decode/blob_parts.h"
#include "decode/small/arena.h"
#include "decode/small/symbol_cursor.h"

namespace keras_dc {

class NumberCursor {
 public:
  // Values have at most four bytes each.
  static constexpr size_t kMaxPlanes = 4;

  // Reads where the numbers are, by planes or not.
  kdc_status Open(ByteReader* reader, bool has_planes, int num_streams,
                  size_t count, size_t item_size, Arena* arena);

  // Writes the next number's `item_size` bytes.
  kdc_status Next(uint8_t* item);

  // Behind the last number.
  kdc_status Finish();

  // Numbers that are no planes.
  const ByteRange& packed() const { return packed_; }

 private:
  size_t item_size_ = 0;
  bool has_planes_ = false;
  ByteRange packed_;
  const uint8_t* next_ = nullptr;
  // A plane is coded, or it is bytes.
  SymbolCursor* coded_[kMaxPlanes] = {};
  const uint8_t* raw_[kMaxPlanes] = {};
};

// Reads a table of numbers that any of may be asked for: the codebook or the
// scales. Numbers that are stored by planes go to `arena`; `*numbers` points to
// them, or into the blob.
kdc_status ReadNumberTable(ByteReader* reader, bool has_planes, size_t count,
                           size_t item_size, Arena* arena,
                           const uint8_t** numbers);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_SMALL_NUMBER_CURSOR_H_
