// Ways to see the entries of a tensor: with a codebook or without, with zeros
// or without, by rows or by columns.
#ifndef KERAS_DC_SRC_ENCODE_ENTRY_FORMS_H_
#define KERAS_DC_SRC_ENCODE_ENTRY_FORMS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "encode/entry_writer.h"

namespace keras_dc {

// A tensor by rows, and what is coded of its entries.
struct Entries {
  size_t num_rows = 0;
  size_t num_columns = 0;
  std::vector<uint32_t> row_begin;
  std::vector<uint32_t> columns;
  std::vector<uint32_t> patterns;  // of each entry, or of each centroid
  std::vector<uint8_t> indices;    // empty without a codebook

  bool has_codebook() const { return !indices.empty(); }
  size_t num_weights() const { return num_rows * num_columns; }
};

// The forms that may take the fewest bytes. `common` tells the dtype, the
// scales and, for a tensor with scales, the codebook. Tries fewer unless
// `try_all`.
std::vector<Entries> EntryForms(const Entries& entries,
                                const EntryDraft& common, bool try_all);

// `common` with these entries, in a scan by rows or by columns.
EntryDraft DraftEntries(const Entries& entries, bool column_major,
                        const EntryDraft& common);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_ENTRY_FORMS_H_
