// Reads a stream of the arithmetic coder line by line (FORMAT.md, 9).
#ifndef KERAS_DC_SRC_DECODE_ENTRY_READER_H_
#define KERAS_DC_SRC_DECODE_ENTRY_READER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/entry_coder.h"
#include "common/range_coder.h"
#include "decode/blob_reader.h"
#include "keras_dc/codec.h"

namespace keras_dc {

// Lines of an arithmetic blob, one behind the other. Entries of line i are
// those from line_begin[i] to line_begin[i + 1] - 1.
struct EntryLines {
  std::vector<uint32_t> line_begin;
  std::vector<uint32_t> offsets;
  // The cluster index of each entry; or without a codebook its value as stored,
  // `stored_values.item_size` bytes.
  std::vector<uint8_t> items;
};

class EntryReader {
 public:
  // `blob` is one of the arithmetic coder and must outlive this. May throw
  // std::bad_alloc.
  EntryReader(const ParsedBlob& blob, size_t stream);
  EntryReader(const EntryReader&) = delete;
  EntryReader& operator=(const EntryReader&) = delete;

  bool is_done() const { return num_read_ == stream_.num_lines; }
  // The number of the next line, and of its first entry, in the whole scan.
  size_t line() const {
    return static_cast<size_t>(stream_.first_line + num_read_);
  }
  size_t entry() const {
    return static_cast<size_t>(stream_.first_entry + coder_.num_coded());
  }

  // Reads the next line. After the last one, checks that the stream ends. May
  // throw std::bad_alloc.
  kdc_status Next();
  const std::vector<uint32_t>& offsets() const { return entries_.offsets; }

  // Bytes of an item, and the items of the line that was read last.
  size_t item_size() const { return item_size_; }
  void WriteItems(uint8_t* items) const;

  // Reads as few lines as hold `num_entries` entries, or all that are left.
  kdc_status NextLines(size_t num_entries, EntryLines* lines);

 private:
  static EntryLayout LayoutOf(const ParsedBlob& blob,
                              const EntryStream& stream);

  const ParsedBlob& blob_;
  const EntryStream& stream_;
  size_t item_size_;
  uint64_t num_read_ = 0;
  size_t first_entry_ = 0;  // of the line that was read last
  RangeDecoder decoder_;
  EntryCoder<RangeDecoder> coder_;
  LineEntries entries_;
};

// All lines, the streams on up to `num_threads` threads. May throw
// std::bad_alloc.
kdc_status DecodeLines(const ParsedBlob& blob, size_t num_threads,
                       EntryLines* lines);

// All weights, C order, into `values`, which are zeros before. For a blob
// without scales; `stored` are its centroids as elements of the tensor's dtype.
// May throw std::bad_alloc.
kdc_status DecodeLinesDense(const ParsedBlob& blob, size_t num_threads,
                            const std::vector<uint8_t>& stored,
                            uint8_t* values);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_ENTRY_READER_H_
