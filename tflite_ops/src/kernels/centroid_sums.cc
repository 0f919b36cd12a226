#include "kernels/centroid_sums.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace keras_dc {
namespace {

constexpr size_t kChunk = CentroidSums::kChunk;
// Places in chunks per weight up to which the form is the faster one; measured.
constexpr double kMaxPlacesPerWeight = 1.5;
// Columns come in order, from far away; a processor alone asks for them late.
constexpr size_t kColumnsPerLine = 64 / sizeof(uint16_t);
constexpr size_t kPrefetchColumns = 16 * kColumnsPerLine;

using Counts = std::array<uint32_t, 256>;

Counts CountRow(const SparseTensor& weights, size_t row) {
  Counts counts = {};
  for (size_t e = weights.row_begin[row]; e < weights.row_begin[row + 1]; ++e) {
    ++counts[weights.indices[e]];
  }
  return counts;
}

void Prefetch(const void* at) {
#if defined(__GNUC__)
  __builtin_prefetch(at);
#else
  (void)at;
#endif
}

uint32_t NumChunks(uint32_t count) {
  constexpr auto kSize = static_cast<uint32_t>(kChunk);
  return (count + kSize - 1) / kSize;
}

}  // namespace

bool CentroidSums::Suits(const SparseTensor& weights) {
  if (weights.indices.empty() ||
      weights.num_columns >= std::numeric_limits<uint16_t>::max()) {
    return false;
  }
  for (size_t i = 0; i < weights.codebook.size(); i += sizeof(float)) {
    float centroid;
    std::memcpy(&centroid, &weights.codebook[i], sizeof(centroid));
    if (!std::isfinite(centroid)) return false;
  }
  size_t num_chunks = 0;
  for (size_t row = 0; row < static_cast<size_t>(weights.num_rows); ++row) {
    for (const uint32_t count : CountRow(weights, row)) {
      num_chunks += NumChunks(count);
    }
  }
  return static_cast<double>(num_chunks * kChunk) <=
         kMaxPlacesPerWeight * static_cast<double>(weights.indices.size());
}

CentroidSums CentroidSums::Pack(const SparseTensor& weights) {
  CentroidSums packed;
  packed.num_rows = static_cast<size_t>(weights.num_rows);
  packed.num_columns = static_cast<size_t>(weights.num_columns);
  if (!weights.codebook.empty()) {
    std::memcpy(packed.codebook, weights.codebook.data(),
                weights.codebook.size());
  }
  // Not more, as it suits; memory that is not written to costs nothing.
  const auto most_chunks = static_cast<size_t>(
      kMaxPlacesPerWeight * static_cast<double>(weights.indices.size()) /
      static_cast<double>(kChunk));
  packed.indices.reserve(most_chunks);
  packed.columns.reserve(most_chunks * kChunk);
  packed.row_begin.reserve(packed.num_rows + 1);
  packed.row_begin.push_back(0);
  for (size_t row = 0; row < packed.num_rows; ++row) {
    const Counts counts = CountRow(weights, row);
    std::array<size_t, 256> next;
    for (size_t i = 0; i < counts.size(); ++i) {
      next[i] = packed.indices.size() * kChunk;
      packed.indices.insert(packed.indices.end(), NumChunks(counts[i]),
                            static_cast<uint8_t>(i));
    }
    packed.columns.resize(packed.indices.size() * kChunk,
                          static_cast<uint16_t>(packed.num_columns));
    for (size_t e = weights.row_begin[row]; e < weights.row_begin[row + 1];
         ++e) {
      packed.columns[next[weights.indices[e]]++] =
          static_cast<uint16_t>(weights.columns[e]);
    }
    packed.row_begin.push_back(static_cast<uint32_t>(packed.indices.size()));
  }
  return packed;
}

void CentroidSums::Run(size_t begin_row, size_t end_row, const float* input,
                       float* output) const {
  for (size_t row = begin_row; row < end_row; ++row) {
    float sums[2] = {};
    for (size_t c = row_begin[row]; c < row_begin[row + 1]; ++c) {
      if (c * kChunk % kColumnsPerLine == 0) {
        Prefetch(columns.data() + c * kChunk + kPrefetchColumns);
      }
      // Two loads for eight columns.
      uint64_t low, high;
      std::memcpy(&low, &columns[c * kChunk], sizeof(low));
      std::memcpy(&high, &columns[c * kChunk + 4], sizeof(high));
      const auto at = [input](uint64_t four, int i) {
        return input[static_cast<uint16_t>(four >> (16 * i))];
      };
      const float centroid = codebook[indices[c]];
      sums[0] +=
          centroid * ((at(low, 0) + at(low, 1)) + (at(low, 2) + at(low, 3)));
      sums[1] += centroid *
                 ((at(high, 0) + at(high, 1)) + (at(high, 2) + at(high, 3)));
    }
    output[row] = sums[0] + sums[1];
  }
}

size_t CentroidSums::size_bytes() const {
  return sizeof(codebook) + row_begin.size() * sizeof(row_begin[0]) +
         indices.size() + columns.size() * sizeof(columns[0]);
}

}  // namespace keras_dc
