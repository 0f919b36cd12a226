#include "decode/entry_reader.h"

#include <algorithm>
#include <cstring>

#include "common/format.h"
#include "common/return_if_error.h"
#include "common/thread_pool.h"
#include "decode/stored_values.h"

namespace keras_dc {
namespace {

// Writes items of a line to their places, `stride` items apart. The item size
// is fixed, so that each copy is one move.
template <size_t kItemSize>
void Scatter(const std::vector<uint32_t>& offsets, const uint8_t* items,
             size_t stride, uint8_t* line) {
  for (size_t i = 0; i < offsets.size(); ++i) {
    std::memcpy(line + kItemSize * stride * offsets[i], items + kItemSize * i,
                kItemSize);
  }
}

void ScatterItems(size_t item_size, const std::vector<uint32_t>& offsets,
                  const uint8_t* items, size_t stride, uint8_t* line) {
  switch (item_size) {
    case 1:
      return Scatter<1>(offsets, items, stride, line);
    case 2:
      return Scatter<2>(offsets, items, stride, line);
    default:
      return Scatter<4>(offsets, items, stride, line);
  }
}

}  // namespace

EntryLayout EntryReader::LayoutOf(const ParsedBlob& blob,
                                  const EntryStream& stream) {
  EntryLayout layout = blob.entries;
  layout.num_lines = stream.num_lines;
  layout.num_kept = stream.num_entries;
  return layout;
}

EntryReader::EntryReader(const ParsedBlob& blob, size_t stream)
    : blob_(blob),
      stream_(blob.entry_streams[stream]),
      item_size_(blob.info.num_centroids != 0 ? 1
                                              : blob.stored_values.item_size),
      decoder_(stream_.bytes.bytes, stream_.bytes.size),
      coder_(LayoutOf(blob, stream_), &decoder_) {}

kdc_status EntryReader::Next() {
  first_entry_ = entry();
  if (!coder_.CodeLine(&entries_)) return KDC_BAD_STREAM;
  if (++num_read_ < stream_.num_lines) return KDC_OK;
  if (coder_.num_coded() != stream_.num_entries) return KDC_BAD_POSITION;
  return decoder_.AtCleanEnd() ? KDC_OK : KDC_BAD_STREAM;
}

void EntryReader::WriteItems(uint8_t* items) const {
  const size_t num_entries = entries_.offsets.size();
  if (num_entries == 0) return;  // `items` may be null
  const size_t num_symbols = blob_.entries.num_symbols();
  const uint8_t* symbols = entries_.symbols.data();
  if (blob_.info.num_centroids != 0) {
    if (num_symbols == 0) {
      std::fill(items, items + num_entries, uint8_t{0});
    } else {
      std::copy(symbols, symbols + num_entries, items);
    }
    return;
  }
  // Planes lie highest first, bytes of an item lowest first.
  const uint8_t* raw = blob_.raw_planes.bytes;
  const auto num_kept = static_cast<size_t>(blob_.info.num_kept);
  size_t coded = 0;
  for (size_t plane = 0; plane < item_size_; ++plane) {
    uint8_t* to = items + item_size_ - 1 - plane;
    if ((blob_.coded_planes >> plane & 1) != 0) {
      for (size_t i = 0; i < num_entries; ++i) {
        to[item_size_ * i] = symbols[num_symbols * i + coded];
      }
      ++coded;
    } else {
      for (size_t i = 0; i < num_entries; ++i) {
        to[item_size_ * i] = raw[first_entry_ + i];
      }
      raw += num_kept;
    }
  }
}

kdc_status EntryReader::NextLines(size_t num_entries, EntryLines* lines) {
  lines->line_begin.assign(1, 0);
  lines->offsets.clear();
  lines->items.clear();
  do {
    KDC_RETURN_IF_ERROR(Next());
    const size_t size = lines->items.size();
    lines->items.resize(size + item_size_ * offsets().size());
    WriteItems(lines->items.data() + size);
    lines->offsets.insert(lines->offsets.end(), offsets().begin(),
                          offsets().end());
    lines->line_begin.push_back(static_cast<uint32_t>(lines->offsets.size()));
  } while (!is_done() && lines->offsets.size() < num_entries);
  return KDC_OK;
}

kdc_status DecodeLines(const ParsedBlob& blob, size_t num_threads,
                       EntryLines* lines) {
  const size_t num_entries = blob.num_entries();
  const size_t item_size =
      blob.info.num_centroids != 0 ? 1 : blob.stored_values.item_size;
  lines->line_begin.assign(static_cast<size_t>(blob.num_lines()) + 1, 0);
  lines->offsets.resize(num_entries);
  lines->items.resize(item_size * num_entries);
  ThreadPool pool;
  return ForEachOrFail(
      &pool, blob.entry_streams.size(), num_threads,
      [&](size_t stream, size_t) -> kdc_status {
        EntryReader reader(blob, stream);
        while (!reader.is_done()) {
          const size_t first = reader.entry();
          KDC_RETURN_IF_ERROR(reader.Next());
          std::copy(reader.offsets().begin(), reader.offsets().end(),
                    lines->offsets.begin() + static_cast<ptrdiff_t>(first));
          reader.WriteItems(lines->items.data() + item_size * first);
          lines->line_begin[reader.line()] =
              static_cast<uint32_t>(reader.entry());
        }
        return KDC_OK;
      });
}

kdc_status DecodeLinesDense(const ParsedBlob& blob, size_t num_threads,
                            const std::vector<uint8_t>& stored,
                            uint8_t* values) {
  const size_t item_size = ItemSize(blob.info.dtype);
  const auto num_columns = static_cast<size_t>(blob.matrix().columns);
  const size_t line_stride = blob.is_by_rows() ? num_columns : 1;
  const size_t stride = blob.is_by_rows() ? 1 : num_columns;
  const bool has_codebook = blob.info.num_centroids != 0;
  ThreadPool pool;
  return ForEachOrFail(
      &pool, blob.entry_streams.size(), num_threads,
      [&](size_t stream, size_t) -> kdc_status {
        EntryReader reader(blob, stream);
        std::vector<uint8_t> items, values_of_line;
        while (!reader.is_done()) {
          uint8_t* line = values + item_size * line_stride * reader.line();
          KDC_RETURN_IF_ERROR(reader.Next());
          const size_t size = reader.offsets().size();
          items.resize(reader.item_size() * size);
          reader.WriteItems(items.data());
          if (has_codebook) {
            values_of_line.resize(item_size * size);
            for (size_t i = 0; i < size; ++i) {
              std::memcpy(&values_of_line[item_size * i],
                          &stored[item_size * items[i]], item_size);
            }
          } else {
            AsItems(blob, &items);
            values_of_line.swap(items);
          }
          ScatterItems(item_size, reader.offsets(), values_of_line.data(),
                       stride, line);
        }
        return KDC_OK;
      });
}

}  // namespace keras_dc
