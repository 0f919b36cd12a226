#include "kernels/forms/row_weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace keras_dc {
namespace {

// Independent sums for each output, enough to hide the latency of an addition.
constexpr size_t kSums = 4;
constexpr size_t kCodebookSize = 256;

struct CodebookValues {
  const float* codebook;
  const uint8_t* indices;
  float operator()(size_t entry) const { return codebook[indices[entry]]; }
};

struct RawValues {
  const float* values;
  float operator()(size_t entry) const { return values[entry]; }
};

struct PackedValues {
  const uint8_t* bytes;
  float operator()(size_t entry) const {
    float value;
    std::memcpy(&value, bytes + entry * sizeof(float), sizeof(float));
    return value;
  }
};

template <typename Column, typename Values>
float Dot(const Column* columns, const Values& value, size_t begin, size_t end,
          const float* input) {
  float sums[kSums] = {};
  size_t e = begin;
  for (; e + kSums <= end; e += kSums) {
    for (size_t k = 0; k < kSums; ++k) {
      sums[k] += value(e + k) * input[columns[e + k]];
    }
  }
  for (size_t k = 0; e + k < end; ++k) {
    sums[k] += value(e + k) * input[columns[e + k]];
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

std::vector<float> FloatsFrom(const std::vector<uint8_t>& bytes, size_t size) {
  const size_t num_floats = bytes.size() / sizeof(float);
  std::vector<float> floats(std::max(size, num_floats));
  if (num_floats > 0) {
    std::memcpy(floats.data(), bytes.data(), num_floats * sizeof(float));
  }
  return floats;
}

}  // namespace

void MultiplyUnpacked(const SparseRows& weights, const float* input,
                      float* output) {
  const auto run = [&](const auto& values) {
    for (size_t row = 0; row < static_cast<size_t>(weights.num_rows); ++row) {
      output[row] = Dot(weights.columns.data(), values, weights.row_begin[row],
                        weights.row_begin[row + 1], input);
    }
  };
  if (weights.indices.empty()) {
    run(PackedValues{weights.values.data()});
  } else {
    const std::vector<float> codebook =
        FloatsFrom(weights.codebook, kCodebookSize);
    run(CodebookValues{codebook.data(), weights.indices.data()});
  }
}

RowWeights RowWeights::Pack(SparseRows weights) {
  RowWeights packed;
  packed.row_begin_ = std::move(weights.row_begin);
  packed.indices_ = std::move(weights.indices);
  if (packed.indices_.empty()) {
    packed.values_ = FloatsFrom(weights.values, 0);
  } else {
    packed.codebook_ = FloatsFrom(weights.codebook, kCodebookSize);
  }
  constexpr int64_t kMaxColumns16 = int64_t{1} << 16;
  if (weights.num_columns <= kMaxColumns16) {
    packed.columns16_.resize(weights.columns.size());
    std::transform(weights.columns.begin(), weights.columns.end(),
                   packed.columns16_.begin(),
                   [](uint32_t c) { return static_cast<uint16_t>(c); });
  } else {
    packed.columns32_ = std::move(weights.columns);
  }
  return packed;
}

void RowWeights::Run(size_t begin_row, size_t end_row, const float* input,
                     float* output) const {
  const auto run = [&](const auto* columns, const auto& values) {
    for (size_t row = begin_row; row < end_row; ++row) {
      output[row] =
          Dot(columns, values, row_begin_[row], row_begin_[row + 1], input);
    }
  };
  const auto run_columns = [&](const auto* columns) {
    if (indices_.empty()) {
      run(columns, RawValues{values_.data()});
    } else {
      run(columns, CodebookValues{codebook_.data(), indices_.data()});
    }
  };
  if (columns32_.empty()) {
    run_columns(columns16_.data());
  } else {
    run_columns(columns32_.data());
  }
}

size_t RowWeights::size_bytes() const {
  const auto bytes = [](const auto& v) { return v.size() * sizeof(v[0]); };
  return bytes(row_begin_) + bytes(columns16_) + bytes(columns32_) +
         bytes(indices_) + bytes(codebook_) + bytes(values_);
}

}  // namespace keras_dc
