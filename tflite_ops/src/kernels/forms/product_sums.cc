#include "kernels/forms/product_sums.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace keras_dc {
namespace {

constexpr size_t kColumns = ProductSums::kColumns;
// The form is faster than RowWeights up to this many products in tables for
// each weight, and from this many weights of a row in a block on; measured.
constexpr double kMaxProductsPerWeight = 1.5;
constexpr double kMinWeightsPerRow = 5.0;
// How far ahead to prefetch: codes are read in order from memory, and the
// processor's own prefetcher comes late.
constexpr size_t kPrefetchCodes = 512;

void Prefetch(const void* at) {
#if defined(__GNUC__)
  __builtin_prefetch(at);
#else
  (void)at;
#endif
}

// table[centroid][column] = centroid * input[column].
void FillTable(const float* codebook, size_t num_centroids, const float* input,
               size_t num_columns, float* table) {
  for (size_t i = 0; i < num_centroids; ++i, table += kColumns) {
    const float centroid = codebook[i];
    for (size_t c = 0; c < num_columns; ++c) table[c] = centroid * input[c];
  }
}

// Adds products in four sums: an addition must wait for the one before.
struct Adder {
  const float* table;
  float sums[4];

  // One load reads two codes.
  void Add4(const uint16_t* codes) {
    uint32_t pairs[2];
    std::memcpy(pairs, codes, sizeof(pairs));
    sums[0] += table[pairs[0] & 0xffff];
    sums[1] += table[pairs[0] >> 16];
    sums[2] += table[pairs[1] & 0xffff];
    sums[3] += table[pairs[1] >> 16];
  }
  float Total() const { return (sums[0] + sums[1]) + (sums[2] + sums[3]); }
};

// Computes the rows of a run; moves `row` and `code` behind it.
template <bool kIsFirst>
void AddRun(const BlockedWeights::Run& run, const float* table,
            const uint16_t** row, const uint16_t** code, float* output) {
  const uint16_t* codes = *code;
  const size_t num_eights = run.num_weights / 8;
  const bool has_four = (run.num_weights & 4) != 0;
  const size_t num_left = run.num_weights % 4;
  for (uint32_t i = 0; i < run.num_rows; ++i) {
    float* sum = output + *(*row)++;
    Adder adder = {table, {kIsFirst ? 0.0f : *sum, 0.0f, 0.0f, 0.0f}};
    Prefetch(codes + kPrefetchCodes);
    for (size_t k = num_eights; k > 0; --k, codes += 8) {
      adder.Add4(codes);
      adder.Add4(codes + 4);
    }
    if (has_four) {
      adder.Add4(codes);
      codes += 4;
    }
    for (size_t k = num_left; k > 0; --k) adder.sums[0] += table[*codes++];
    *sum = adder.Total();
  }
  *code = codes;
}

}  // namespace

bool ProductSums::Suits(const SparseRows& weights) {
  const auto num_weights = static_cast<double>(weights.indices.size());
  const auto num_columns = static_cast<size_t>(weights.num_columns);
  const size_t num_blocks = (num_columns + kColumns - 1) / kColumns;
  const double num_products =
      static_cast<double>(num_columns) *
      static_cast<double>(weights.codebook.size() / sizeof(float));
  return num_weights > 0 &&
         num_products <= kMaxProductsPerWeight * num_weights &&
         num_weights >= kMinWeightsPerRow * static_cast<double>(num_blocks) *
                            static_cast<double>(weights.num_rows);
}

ProductSums ProductSums::Pack(const SparseRows& weights, size_t num_panels) {
  ProductSums packed;
  packed.num_columns = static_cast<size_t>(weights.num_columns);
  packed.num_centroids = weights.codebook.size() / sizeof(float);
  Blocking blocking;
  blocking.num_channels = packed.num_columns;
  blocking.block_channels = kColumns;
  const auto num_rows = static_cast<size_t>(weights.num_rows);
  num_panels = std::max(
      std::min(num_panels, num_rows),
      (num_rows + BlockedWeights::kMaxRows - 1) / BlockedWeights::kMaxRows);
  for (size_t p = 0; p < num_panels; ++p) {
    packed.panels.push_back(
        BlockedWeights::Pack(weights, blocking, num_rows * p / num_panels,
                             num_rows * (p + 1) / num_panels));
  }
  return packed;
}

void ProductSums::Run(size_t panel, const float* input, float* table,
                      float* output) const {
  const BlockedWeights& weights = panels[panel];
  const uint16_t* row = weights.rows.data();
  const uint16_t* code = weights.codes.data();
  output += weights.first_row;
  for (size_t b = 0; b + 1 < weights.blocks.size(); ++b) {
    const size_t first = b * kColumns;
    FillTable(weights.codebook, num_centroids, input + first,
              std::min(num_columns - first, kColumns), table);
    const uint32_t end = weights.blocks[b + 1].run;
    for (uint32_t r = weights.blocks[b].run; r < end; ++r) {
      const auto add = b == 0 ? AddRun<true> : AddRun<false>;
      add(weights.runs[r], table, &row, &code, output);
    }
  }
}

size_t ProductSums::size_bytes() const {
  size_t size = 0;
  for (const BlockedWeights& panel : panels) size += panel.size_bytes();
  return size;
}

}  // namespace keras_dc
