#include "kernels/forms/blocked_weights.h"

#include <cstring>

namespace keras_dc {
namespace {

// The place of a weight: its block, and its column in the block. Both are the
// sum of a part from the channel and a part from the tap.
struct Place {
  uint32_t block = 0;
  uint32_t column = 0;
};

std::vector<Place> PlacesOfChannels(const Blocking& blocking) {
  std::vector<Place> places(blocking.num_channels);
  for (size_t c = 0; c < places.size(); ++c) {
    places[c].block =
        static_cast<uint32_t>(c / blocking.block_channels * blocking.pieces());
    places[c].column = static_cast<uint32_t>(c % blocking.block_channels *
                                             blocking.piece_taps());
  }
  return places;
}

// Calls `visit(row, entry, place)` for each weight of the rows.
template <typename Visit>
void VisitPlaces(const SparseRows& weights, const Blocking& blocking,
                 size_t begin_row, size_t end_row, Visit visit) {
  const std::vector<Place> channels = PlacesOfChannels(blocking);
  for (size_t row = begin_row; row < end_row; ++row) {
    size_t tap = 0, first = 0;
    for (size_t e = weights.row_begin[row]; e < weights.row_begin[row + 1];
         ++e) {
      size_t channel = weights.columns[e] - first;
      while (channel >= blocking.num_channels) {
        channel -= blocking.num_channels;
        first += blocking.num_channels;
        ++tap;
      }
      Place place = channels[channel];
      place.block += static_cast<uint32_t>(tap / Blocking::kMaxColumns);
      place.column += static_cast<uint32_t>(tap % Blocking::kMaxColumns);
      visit(row - begin_row, e, place);
    }
  }
}

// Sorts the rows of a block that have at least `least` weights by their counts.
// Turns each count into the place of the row's first weight.
void SortRows(uint32_t least, uint32_t* counts, size_t num_rows,
              BlockedWeights* packed, uint32_t* num_weights) {
  uint32_t num_with[Blocking::kMaxColumns + 1] = {};
  for (size_t row = 0; row < num_rows; ++row) ++num_with[counts[row]];
  uint32_t next_row[Blocking::kMaxColumns + 1];
  uint32_t next_weight[Blocking::kMaxColumns + 1];
  auto num_sorted = static_cast<uint32_t>(packed->rows.size());
  for (uint32_t n = least; n <= Blocking::kMaxColumns; ++n) {
    next_row[n] = num_sorted;
    next_weight[n] = *num_weights;
    if (num_with[n] == 0) continue;
    packed->runs.push_back({n, num_with[n]});
    num_sorted += num_with[n];
    *num_weights += n * num_with[n];
  }
  packed->rows.resize(num_sorted);
  for (size_t row = 0; row < num_rows; ++row) {
    const uint32_t n = counts[row];
    if (n < least) continue;
    packed->rows[next_row[n]++] = static_cast<uint16_t>(row);
    counts[row] = next_weight[n];
    next_weight[n] += n;
  }
}

}  // namespace

BlockedWeights BlockedWeights::Pack(const SparseRows& weights,
                                    const Blocking& blocking, size_t begin_row,
                                    size_t end_row) {
  BlockedWeights packed;
  packed.blocking = blocking;
  packed.first_row = begin_row;
  packed.num_rows = end_row - begin_row;
  const size_t num_blocks = blocking.num_blocks();
  std::vector<uint32_t> counts(num_blocks * packed.num_rows);
  VisitPlaces(weights, blocking, begin_row, end_row,
              [&](size_t row, size_t, const Place& place) {
                ++counts[place.block * packed.num_rows + row];
              });
  uint32_t num_weights = 0;
  for (size_t b = 0; b <= num_blocks; ++b) {
    packed.blocks.push_back({static_cast<uint32_t>(packed.runs.size()),
                             static_cast<uint32_t>(packed.rows.size()),
                             num_weights});
    if (b == num_blocks) break;
    SortRows(b == 0 ? 0 : 1, &counts[b * packed.num_rows], packed.num_rows,
             &packed, &num_weights);
  }
  if (weights.indices.empty()) {
    packed.columns.resize(num_weights);
    packed.values.resize(num_weights);
    VisitPlaces(
        weights, blocking, begin_row, end_row,
        [&](size_t row, size_t entry, const Place& place) {
          const uint32_t at = counts[place.block * packed.num_rows + row]++;
          packed.columns[at] = static_cast<uint8_t>(place.column);
          std::memcpy(&packed.values[at],
                      &weights.values[entry * sizeof(float)], sizeof(float));
        });
    return packed;
  }
  std::memcpy(packed.codebook, weights.codebook.data(),
              weights.codebook.size());
  packed.codes.resize(num_weights);
  ReleaseSpare(&packed.codes);
  VisitPlaces(weights, blocking, begin_row, end_row,
              [&](size_t row, size_t entry, const Place& place) {
                const uint32_t at =
                    counts[place.block * packed.num_rows + row]++;
                packed.codes[at] = static_cast<uint16_t>(
                    place.column | uint32_t{weights.indices[entry]} << 8);
              });
  return packed;
}

size_t BlockedWeights::size_bytes() const {
  const auto bytes = [](const auto& v) { return v.size() * sizeof(v[0]); };
  return sizeof(codebook) + bytes(blocks) + bytes(runs) + bytes(rows) +
         bytes(codes) + bytes(columns) + bytes(values);
}

}  // namespace keras_dc
