#include "encode/scaled_encoder.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/format.h"
#include "common/return_if_error.h"
#include "encode/blob_writer.h"
#include "encode/draft.h"
#include "encode/palette.h"

namespace keras_dc {
namespace {

// The bits of each centroid times a channel's scale, and the centroid; sorted.
using Candidates = std::vector<std::pair<uint32_t, uint8_t>>;

std::vector<Candidates> CandidatesByChannel(const std::vector<double>& codebook,
                                            const std::vector<double>& scales,
                                            int32_t dtype) {
  std::vector<Candidates> channels(scales.size());
  for (size_t channel = 0; channel < scales.size(); ++channel) {
    for (size_t k = 0; k < codebook.size(); ++k) {
      channels[channel].emplace_back(
          ScaledPattern(codebook[k], scales[channel], dtype),
          static_cast<uint8_t>(k));
    }
    std::sort(channels[channel].begin(), channels[channel].end());
  }
  return channels;
}

// Replaces the palette's patterns by numbers of centroids. False if a kept
// weight is not a centroid times its channel's scale.
bool NameByCentroid(const uint8_t* values, size_t item_size,
                    const std::vector<Candidates>& channels,
                    size_t num_centroids, bool by_row,
                    const MatrixShape& matrix, Palette* palette) {
  palette->indices.clear();
  for (const uint32_t position : palette->positions) {
    const uint64_t channel =
        by_row ? position / matrix.columns : position % channels.size();
    const Candidates& candidates = channels[static_cast<size_t>(channel)];
    const uint32_t pattern = PatternAt(values, item_size, position);
    const auto found = std::lower_bound(candidates.begin(), candidates.end(),
                                        std::make_pair(pattern, uint8_t{0}));
    if (found == candidates.end() || found->first != pattern) return false;
    palette->indices.push_back(found->second);
  }
  palette->patterns.resize(num_centroids);
  std::iota(palette->patterns.begin(), palette->patterns.end(), 0u);
  SortByFrequency(palette);
  return true;
}

}  // namespace

kdc_status EncodeScaled(const void* values, int32_t dtype, const int64_t* shape,
                        int32_t rank, const std::vector<double>& codebook,
                        const std::vector<double>& scales, int32_t scale_axis,
                        std::vector<uint8_t>* blob) {
  uint64_t num_weights = 0;
  KDC_RETURN_IF_ERROR(CountWeights(shape, rank, &num_weights));
  if ((dtype != KDC_FLOAT32 && dtype != KDC_INT8) || rank < 2 ||
      (scale_axis != KDC_FIRST_AXIS && scale_axis != KDC_LAST_AXIS) ||
      codebook.empty() || codebook.size() > size_t{kMaxCentroids} ||
      scales.size() != NumChannels(shape, rank, scale_axis) ||
      (values == nullptr && num_weights > 0)) {
    return KDC_INVALID_ARGUMENT;
  }
  const size_t item_size = ItemSize(dtype);
  const MatrixShape matrix = AsMatrix(shape, rank, num_weights);
  Palette palette =
      FindPalette(values, num_weights, item_size,
                  CountKept(values, num_weights, item_size).num_kept);
  if (!NameByCentroid(static_cast<const uint8_t*>(values), item_size,
                      CandidatesByChannel(codebook, scales, dtype),
                      codebook.size(), scale_axis == KDC_FIRST_AXIS, matrix,
                      &palette)) {
    return KDC_INVALID_ARGUMENT;
  }
  Draft draft;
  std::vector<uint32_t> order;
  DraftPositions(palette, matrix, &draft, &order);
  DraftIndices(palette, order, &draft);
  draft.scale_axis = static_cast<kdc_scale_axis>(scale_axis);
  draft.scales = scales;
  // Centroids that no weight has are last, and are not stored.
  size_t num_used = 1;
  while (num_used < codebook.size() && palette.counts[num_used] > 0) ++num_used;
  for (size_t i = 0; i < num_used; ++i) {
    draft.codebook.push_back(codebook[palette.patterns[i]]);
  }
  draft.index_lengths.resize(num_used);
  *blob = WriteBlob(draft, dtype, shape, rank);
  return KDC_OK;
}

}  // namespace keras_dc
