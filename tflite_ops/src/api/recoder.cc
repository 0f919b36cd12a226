#include "api/recoder.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/format.h"
#include "common/return_if_error.h"
#include "decode/blob_reader.h"
#include "decode/decoder.h"
#include "decode/stored_values.h"
#include "encode/blob_writer.h"
#include "encode/draft.h"

namespace keras_dc {
namespace {

// For a larger tensor only a scan by rows without a period is tried: each trial
// takes about 30 ns a weight.
constexpr uint64_t kMostWeightsToTry = 1 << 22;
constexpr size_t kMaxPeriod = 1024;
constexpr size_t kNumPeriodsToTry = 3;

// Periods to try: the most frequent distances between two kept weights of a
// line, and 0 for none. Distances below kNear have contexts of their own.
std::vector<uint64_t> CandidatePeriods(const std::vector<uint8_t>& mask,
                                       uint64_t line_length) {
  constexpr size_t kNear = 3;
  std::vector<uint64_t> pairs(kMaxPeriod, 0);
  std::vector<size_t> kept;
  for (size_t i = 0; i < mask.size(); ++i) {
    if (i % line_length == 0) kept.clear();
    if (mask[i] == 0) continue;
    const auto near = std::lower_bound(kept.begin(), kept.end(),
                                       i < kMaxPeriod ? 0 : i - kMaxPeriod + 1);
    for (auto other = near; other != kept.end(); ++other) ++pairs[i - *other];
    kept.push_back(i);
  }
  std::vector<uint64_t> order(kMaxPeriod - kNear);
  std::iota(order.begin(), order.end(), uint64_t{kNear});
  std::partial_sort(order.begin(), order.begin() + kNumPeriodsToTry,
                    order.end(), [&](uint64_t a, uint64_t b) {
                      return pairs[a] != pairs[b] ? pairs[a] > pairs[b] : a < b;
                    });
  order.resize(kNumPeriodsToTry);
  order.push_back(0);
  return order;
}

// The draft for a scan by rows or by columns. `common` has the entries in the
// order of `rows`.
Draft ScanDraft(const SparseRows& rows, bool column_major,
                const Draft& common) {
  Draft draft = common;
  const auto num_rows = static_cast<size_t>(rows.num_rows);
  const auto num_columns = static_cast<size_t>(rows.num_columns);
  draft.column_major = column_major;
  draft.line_length = column_major ? num_rows : num_columns;
  draft.mask.assign(num_rows * num_columns, 0);
  std::vector<std::pair<size_t, size_t>> places;
  for (size_t row = 0; row < num_rows; ++row) {
    for (size_t i = rows.row_begin[row]; i < rows.row_begin[row + 1]; ++i) {
      const size_t column = rows.columns[i];
      const size_t place =
          column_major ? column * num_rows + row : row * num_columns + column;
      draft.mask[place] = 1;
      places.emplace_back(place, i);
    }
  }
  std::sort(places.begin(), places.end());
  for (size_t i = 0; i < places.size(); ++i) {
    const size_t entry = places[i].second;
    if (draft.has_codebook) {
      draft.indices[i] = common.indices[entry];
    } else {
      draft.patterns[i] = common.patterns[entry];
    }
  }
  return draft;
}

}  // namespace

kdc_status Recode(const uint8_t* bytes, size_t size,
                  std::vector<uint8_t>* recoded) {
  ParsedBlob blob;
  KDC_RETURN_IF_ERROR(ReadBlob(bytes, size, &blob));
  recoded->assign(bytes, bytes + size);
  if (blob.is_arithmetic() || blob.info.gap_bits == 0) return KDC_OK;
  SparseRows rows;
  KDC_RETURN_IF_ERROR(DecodeUnscaled(blob, &rows));

  Draft common;
  common.is_arithmetic = true;
  common.num_entries = blob.num_entries();
  common.has_codebook = blob.info.num_centroids != 0;
  common.indices.assign(rows.indices.begin(), rows.indices.end());
  common.scale_axis = static_cast<kdc_scale_axis>(blob.info.scale_axis);
  if (blob.info.scale_axis != KDC_NO_SCALE) {
    KDC_RETURN_IF_ERROR(StoredScales(blob, &common.codebook, &common.scales));
  } else {
    const std::vector<uint8_t>& values =
        common.has_codebook ? rows.codebook : rows.values;
    const size_t item_size = ItemSize(blob.info.dtype);
    for (size_t i = 0; i < values.size() / item_size; ++i) {
      common.patterns.push_back(PatternAt(values.data(), item_size, i));
    }
  }
  const auto num_weights = static_cast<uint64_t>(blob.info.num_weights);
  const bool try_all = num_weights <= kMostWeightsToTry;
  const bool is_matrix = rows.num_rows > 1 && rows.num_columns > 1;
  for (const bool column_major : {false, true}) {
    if (column_major && !(try_all && is_matrix)) break;
    Draft draft = ScanDraft(rows, column_major, common);
    std::vector<uint64_t> periods = {0};
    if (try_all && draft.line_length > 0) {
      periods = CandidatePeriods(draft.mask, draft.line_length);
    }
    for (const uint64_t period : periods) {
      draft.period = period;
      std::vector<uint8_t> candidate =
          WriteBlob(draft, blob.info.dtype, blob.info.shape, blob.info.rank);
      if (candidate.size() < recoded->size()) recoded->swap(candidate);
    }
  }
  return KDC_OK;
}

}  // namespace keras_dc
