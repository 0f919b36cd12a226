#include "api/recoder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/blob_reader.h"
#include "decode/decoder.h"
#include "decode/stored_values.h"
#include "encode/draft.h"
#include "encode/entry_forms.h"
#include "encode/entry_writer.h"
#include "encode/periods.h"

namespace keras_dc {
namespace {

// More values without a codebook stay as they are: little is gained, and it
// takes some 50 bytes of memory for each.
constexpr size_t kMostValues = 1 << 22;
// Scans and periods are compared over as many weights.
constexpr size_t kSampleWeights = 1 << 18;
// For a larger tensor the blob's own scan is taken.
constexpr size_t kMostWeightsToTry = 1 << 22;
// What they must save, as parts of the size.
constexpr size_t kColumnCost = 256;
constexpr size_t kPeriodCost = 1024;

// The blob's entries; for a scaled one the centroids stay in the draft.
kdc_status ReadEntries(const ParsedBlob& blob, Entries* entries,
                       EntryDraft* draft) {
  const kdc_blob_info& info = blob.info;
  SparseRows rows;
  KDC_RETURN_IF_ERROR(DecodeUnscaled(blob, 1, &rows));
  entries->num_rows = static_cast<size_t>(rows.num_rows);
  entries->num_columns = static_cast<size_t>(rows.num_columns);
  entries->row_begin = std::move(rows.row_begin);
  entries->columns.assign(rows.columns.begin(), rows.columns.end());
  entries->indices.assign(rows.indices.begin(), rows.indices.end());
  draft->dtype = info.dtype;
  draft->zero_point = info.zero_point;
  draft->shape.assign(info.shape, info.shape + info.rank);
  draft->scale_axis = static_cast<kdc_scale_axis>(info.scale_axis);
  if (draft->scale_axis != KDC_NO_SCALE) {
    draft->wide = info.wide != 0;
    draft->half_float = blob.half_float;
    draft->numbers.item_size = blob.stored_values.item_size;
    draft->numbers.bytes.resize(blob.stored_values.num_bytes());
    KDC_RETURN_IF_ERROR(
        UnpackNumbers(blob.stored_values, draft->numbers.bytes.data()));
    draft->scales.item_size = blob.stored_scales.item_size;
    draft->scales.bytes.resize(blob.stored_scales.num_bytes());
    return UnpackNumbers(blob.stored_scales, draft->scales.bytes.data());
  }
  const std::vector<uint8_t>& values =
      info.num_centroids != 0 ? rows.codebook : rows.values;
  const size_t item_size = ItemSize(info.dtype);
  for (size_t i = 0; i < values.size() / item_size; ++i) {
    entries->patterns.push_back(PatternAt(values.data(), item_size, i));
  }
  return KDC_OK;
}

// The draft that takes the fewest bytes.
EntryDraft BestDraft(const Entries& entries, const EntryDraft& common,
                     bool own_scan) {
  const bool try_all = entries.num_weights() <= kMostWeightsToTry;
  EntryDraft best;
  size_t least = std::numeric_limits<size_t>::max();
  const auto consider = [&](EntryDraft draft) {
    // Whole forms are compared: not all of a form lies in its streams.
    const size_t size = entries.num_weights() <= kSampleWeights
                            ? WriteEntryBlob(draft).size()
                            : SampleBytes(draft, kSampleWeights);
    // A scan by columns, and a period, take time to decode.
    const size_t cost = size + (draft.column_major ? size / kColumnCost : 0) +
                        (draft.period != 0 ? size / kPeriodCost : 0);
    if (cost >= least) return;
    least = cost;
    best = std::move(draft);
  };
  for (const Entries& form : EntryForms(entries, common, try_all)) {
    for (const bool column_major : {false, true}) {
      const bool is_matrix = form.num_rows > 1 && form.num_columns > 1;
      if (try_all ? column_major && !is_matrix : column_major != own_scan) {
        continue;
      }
      EntryDraft draft = DraftEntries(form, column_major, common);
      consider(draft);
      if (!try_all) continue;
      for (const uint64_t period : CandidatePeriods(draft)) {
        draft.period = period;
        consider(draft);
      }
    }
  }
  return best;
}

}  // namespace

kdc_status Recode(const uint8_t* bytes, size_t size, bool has_mask_model,
                  std::vector<uint8_t>* recoded) {
  ParsedBlob blob;
  KDC_RETURN_IF_ERROR(ReadBlob(bytes, size, &blob));
  recoded->assign(bytes, bytes + size);
  if (blob.is_arithmetic() || blob.info.num_weights == 0 ||
      (blob.info.num_centroids == 0 && blob.num_entries() > kMostValues)) {
    return KDC_OK;
  }
  Entries entries;
  EntryDraft common;
  common.has_mask_model = has_mask_model;
  KDC_RETURN_IF_ERROR(ReadEntries(blob, &entries, &common));
  std::vector<uint8_t> candidate =
      WriteEntryBlob(BestDraft(entries, common, !blob.is_by_rows()));
  if (candidate.size() < recoded->size()) recoded->swap(candidate);
  return KDC_OK;
}

}  // namespace keras_dc
