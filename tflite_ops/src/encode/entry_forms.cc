#include "encode/entry_forms.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "common/format.h"

namespace keras_dc {
namespace {

// With more entries, values of at most 256 kinds always have a codebook.
constexpr size_t kMostEntriesWithoutCodebook = 1 << 16;

// With a codebook of the entries' values, if they are of at most 256 kinds.
std::optional<Entries> WithCodebook(const Entries& entries) {
  if (entries.has_codebook()) return entries;
  Entries coded = entries;
  std::map<uint32_t, uint8_t> index_of;
  coded.patterns.clear();
  for (const uint32_t pattern : entries.patterns) {
    const auto found = index_of.find(pattern);
    if (found != index_of.end()) {
      coded.indices.push_back(found->second);
      continue;
    }
    if (coded.patterns.size() == static_cast<size_t>(kMaxCentroids)) {
      return std::nullopt;
    }
    const auto index = static_cast<uint8_t>(coded.patterns.size());
    index_of.emplace(pattern, index);
    coded.patterns.push_back(pattern);
    coded.indices.push_back(index);
  }
  return coded;
}

Entries WithoutCodebook(const Entries& entries) {
  Entries plain = entries;
  if (!entries.has_codebook()) return plain;
  plain.patterns.clear();
  for (const uint8_t index : entries.indices) {
    plain.patterns.push_back(entries.patterns[index]);
  }
  plain.indices.clear();
  return plain;
}

// Without the entries that are zero.
Entries WithoutZeros(const Entries& entries) {
  Entries kept = entries;
  kept.row_begin.assign(1, 0);
  kept.columns.clear();
  kept.indices.clear();
  if (!entries.has_codebook()) kept.patterns.clear();
  for (size_t row = 0; row < entries.num_rows; ++row) {
    for (size_t i = entries.row_begin[row]; i < entries.row_begin[row + 1];
         ++i) {
      const size_t place = entries.has_codebook() ? entries.indices[i] : i;
      if (entries.patterns[place] == 0) continue;
      kept.columns.push_back(entries.columns[i]);
      if (entries.has_codebook()) {
        kept.indices.push_back(entries.indices[i]);
      } else {
        kept.patterns.push_back(entries.patterns[i]);
      }
    }
    kept.row_begin.push_back(static_cast<uint32_t>(kept.columns.size()));
  }
  if (!entries.has_codebook()) return kept;
  const auto zero =
      std::find(kept.patterns.begin(), kept.patterns.end(), uint32_t{0});
  if (zero == kept.patterns.end()) return kept;
  const auto place = static_cast<uint8_t>(zero - kept.patterns.begin());
  kept.patterns.erase(zero);
  for (uint8_t& index : kept.indices) {
    if (index > place) --index;
  }
  return kept;
}

// With zero as a centroid, if there is room for one.
std::optional<Entries> WithZeros(const Entries& kept) {
  if (!kept.has_codebook() ||
      kept.patterns.size() == static_cast<size_t>(kMaxCentroids)) {
    return std::nullopt;
  }
  Entries full = kept;
  const auto zero = static_cast<uint8_t>(kept.patterns.size());
  full.patterns.push_back(0);
  full.indices.assign(kept.num_weights(), zero);
  full.columns.resize(kept.num_weights());
  for (size_t row = 0; row < kept.num_rows; ++row) {
    const size_t begin = row * kept.num_columns;
    std::iota(
        full.columns.begin() + static_cast<ptrdiff_t>(begin),
        full.columns.begin() + static_cast<ptrdiff_t>(begin + kept.num_columns),
        0u);
    for (size_t i = kept.row_begin[row]; i < kept.row_begin[row + 1]; ++i) {
      full.indices[begin + kept.columns[i]] = kept.indices[i];
    }
    full.row_begin[row + 1] = static_cast<uint32_t>(begin + kept.num_columns);
  }
  return full;
}

// Sets the lines of a scan by rows or by columns.
void SetLines(const Entries& entries, bool column_major, EntryDraft* draft) {
  draft->column_major = column_major;
  if (!column_major) {
    draft->line_length = entries.num_columns;
    draft->line_begin = entries.row_begin;
    draft->offsets = entries.columns;
    draft->indices = entries.indices;
    return;
  }
  draft->line_length = entries.num_rows;
  draft->line_begin.assign(entries.num_columns + 1, 0);
  for (const uint32_t column : entries.columns) {
    ++draft->line_begin[column + 1];
  }
  std::partial_sum(draft->line_begin.begin(), draft->line_begin.end(),
                   draft->line_begin.begin());
  std::vector<uint32_t> next(draft->line_begin.begin(),
                             draft->line_begin.end() - 1);
  const size_t count = entries.columns.size();
  const size_t item_size = draft->numbers.item_size;
  const bool moves_values = !entries.has_codebook();
  const PackedNumbers by_row = draft->numbers;
  draft->offsets.resize(count);
  draft->indices.resize(entries.indices.size());
  for (size_t row = 0; row < entries.num_rows; ++row) {
    for (size_t i = entries.row_begin[row]; i < entries.row_begin[row + 1];
         ++i) {
      const uint32_t place = next[entries.columns[i]]++;
      draft->offsets[place] = static_cast<uint32_t>(row);
      if (moves_values) {
        std::copy_n(
            by_row.bytes.begin() + static_cast<ptrdiff_t>(item_size * i),
            item_size,
            draft->numbers.bytes.begin() +
                static_cast<ptrdiff_t>(item_size * place));
      } else {
        draft->indices[place] = entries.indices[i];
      }
    }
  }
}

}  // namespace

std::vector<Entries> EntryForms(const Entries& entries,
                                const EntryDraft& common, bool try_all) {
  if (common.scale_axis != KDC_NO_SCALE) return {entries};
  const bool has_floats = common.dtype != KDC_INT8 && common.dtype != KDC_INT4;
  const Entries kept = WithoutZeros(entries);
  const size_t num_kept = kept.columns.size();
  std::vector<Entries> forms;
  if (num_kept == 0) return {WithoutCodebook(kept)};
  if (auto coded = WithCodebook(kept)) {
    // Kernels compute from sparse float32 blobs, which therefore keep a mask.
    const bool is_for_kernels =
        common.dtype == KDC_FLOAT32 && 2 * num_kept < kept.num_weights();
    if (!is_for_kernels && 4 * num_kept > kept.num_weights() &&
        num_kept < kept.num_weights() &&
        (try_all || 2 * num_kept > kept.num_weights())) {
      if (auto full = WithZeros(*coded)) forms.push_back(std::move(*full));
    }
    forms.push_back(std::move(*coded));
  }
  if (forms.empty() ||
      (has_floats && num_kept <= kMostEntriesWithoutCodebook)) {
    forms.push_back(WithoutCodebook(kept));
  }
  return forms;
}

EntryDraft DraftEntries(const Entries& entries, bool column_major,
                        const EntryDraft& common) {
  EntryDraft draft = common;
  draft.has_codebook = entries.has_codebook();
  if (draft.scale_axis == KDC_NO_SCALE) {
    draft.numbers =
        PackValues(entries.patterns, draft.dtype, &draft.half_float);
  }
  SetLines(entries, column_major, &draft);
  if (draft.has_codebook) SortCodebook(&draft);
  return draft;
}

}  // namespace keras_dc
