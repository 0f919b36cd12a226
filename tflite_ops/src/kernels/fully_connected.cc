#include "kernels/fully_connected.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace keras_dc {
namespace {

// Rows of the batch that are computed together: the compiler makes SIMD
// registers of them.
constexpr size_t kLanes = 8;
// Independent sums per output: enough to hide the latency of an addition.
constexpr size_t kSums = 4;
// A batch remainder up to this size costs less row by row than padded.
constexpr size_t kMaxSingleRows = 2;
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

// Sum over the entries [begin, end) of one row of weights.
template <typename Column, typename Values>
float DotOne(const Column* columns, const Values& value, size_t begin,
             size_t end, const float* input) {
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

// The same sum for kLanes inputs at once; `block` is (num_columns, kLanes).
template <typename Column, typename Values>
void DotLanes(const Column* columns, const Values& value, size_t begin,
              size_t end, const float* block, float* result) {
  float sums[kSums][kLanes] = {};
  size_t e = begin;
  for (; e + kSums <= end; e += kSums) {
    for (size_t k = 0; k < kSums; ++k) {
      const float weight = value(e + k);
      const float* lanes = block + size_t{columns[e + k]} * kLanes;
      for (size_t l = 0; l < kLanes; ++l) sums[k][l] += weight * lanes[l];
    }
  }
  for (size_t k = 0; e + k < end; ++k) {
    const float weight = value(e + k);
    const float* lanes = block + size_t{columns[e + k]} * kLanes;
    for (size_t l = 0; l < kLanes; ++l) sums[k][l] += weight * lanes[l];
  }
  for (size_t l = 0; l < kLanes; ++l) {
    result[l] = (sums[0][l] + sums[1][l]) + (sums[2][l] + sums[3][l]);
  }
}

// Copies `num_lanes` rows of `input` to (num_columns, kLanes), zero-padded.
void TransposeToLanes(const float* input, size_t num_lanes, size_t num_columns,
                      float* block) {
  for (size_t c = 0; c < num_columns; ++c) {
    float* lanes = block + c * kLanes;
    for (size_t l = 0; l < num_lanes; ++l)
      lanes[l] = input[l * num_columns + c];
    for (size_t l = num_lanes; l < kLanes; ++l) lanes[l] = 0.0f;
  }
}

template <typename Column, typename Values>
void RunRows(const std::vector<uint32_t>& row_begin, const Column* columns,
             const Values& value, size_t num_columns, const float* input,
             size_t batch, const float* bias, std::vector<float>* scratch,
             float* output) {
  const size_t num_rows = row_begin.size() - 1;
  size_t done = 0;
  while (batch - done > kMaxSingleRows) {
    const size_t num_lanes = std::min(batch - done, kLanes);
    scratch->resize(num_columns * kLanes);
    TransposeToLanes(input + done * num_columns, num_lanes, num_columns,
                     scratch->data());
    for (size_t r = 0; r < num_rows; ++r) {
      float result[kLanes];
      DotLanes(columns, value, row_begin[r], row_begin[r + 1], scratch->data(),
               result);
      const float offset = bias == nullptr ? 0.0f : bias[r];
      for (size_t l = 0; l < num_lanes; ++l) {
        output[(done + l) * num_rows + r] = result[l] + offset;
      }
    }
    done += num_lanes;
  }
  for (; done < batch; ++done) {
    for (size_t r = 0; r < num_rows; ++r) {
      const float sum = DotOne(columns, value, row_begin[r], row_begin[r + 1],
                               input + done * num_columns);
      output[done * num_rows + r] = sum + (bias == nullptr ? 0.0f : bias[r]);
    }
  }
}

bool HasNonFinite(const float* values, size_t size) {
  constexpr uint32_t kExponentMask = 0x7F800000;
  uint32_t found = 0;
  for (size_t i = 0; i < size; ++i) {
    uint32_t bits;
    std::memcpy(&bits, values + i, sizeof(bits));
    found |= (bits & kExponentMask) == kExponentMask ? 1u : 0u;
  }
  return found != 0;
}

// 0 * Inf and 0 * NaN are NaN: where an input is not finite, every row that
// skipped it has a NaN for its sum. Rare, so one plain loop.
template <typename Column>
void AddSkippedNaNs(const std::vector<uint32_t>& row_begin,
                    const Column* columns, size_t num_columns,
                    const float* input, float* output) {
  size_t num_non_finite = 0;
  for (size_t c = 0; c < num_columns; ++c) {
    if (!std::isfinite(input[c])) ++num_non_finite;
  }
  for (size_t r = 0; r + 1 < row_begin.size(); ++r) {
    size_t num_seen = 0;
    for (size_t e = row_begin[r]; e < row_begin[r + 1]; ++e) {
      if (!std::isfinite(input[columns[e]])) ++num_seen;
    }
    if (num_seen < num_non_finite) {
      output[r] = std::numeric_limits<float>::quiet_NaN();
    }
  }
}

float DotDense(const float* weights, const float* input, size_t size) {
  constexpr size_t kDenseSums = 16;
  float sums[kDenseSums] = {};
  size_t c = 0;
  for (; c + kDenseSums <= size; c += kDenseSums) {
    for (size_t k = 0; k < kDenseSums; ++k) {
      sums[k] += weights[c + k] * input[c + k];
    }
  }
  for (size_t k = 0; c + k < size; ++k)
    sums[k] += weights[c + k] * input[c + k];
  for (size_t width = kDenseSums / 2; width > 0; width /= 2) {
    for (size_t k = 0; k < width; ++k) sums[k] += sums[k + width];
  }
  return sums[0];
}

std::vector<float> FloatsFrom(const std::vector<uint8_t>& bytes, size_t size) {
  std::vector<float> floats(std::max(size, bytes.size() / sizeof(float)));
  if (!bytes.empty()) {
    std::memcpy(floats.data(), bytes.data(),
                bytes.size() / sizeof(float) * sizeof(float));
  }
  return floats;
}

}  // namespace

kdc_status FullyConnected::Pack(SparseTensor weights, FullyConnected* packed) {
  if (weights.dtype != KDC_FLOAT32) return KDC_INVALID_ARGUMENT;
  FullyConnected result;
  result.num_rows_ = static_cast<size_t>(weights.num_rows);
  result.num_columns_ = static_cast<size_t>(weights.num_columns);
  result.row_begin_ = std::move(weights.row_begin);
  result.indices_ = std::move(weights.indices);
  if (result.indices_.empty()) {
    result.values_ = FloatsFrom(weights.values, 0);
  } else {
    result.codebook_ = FloatsFrom(weights.codebook, kCodebookSize);
  }

  const size_t num_entries = weights.columns.size();
  const size_t num_weights = result.num_rows_ * result.num_columns_;
  if (static_cast<double>(num_entries) >
      kMaxSparseDensity * static_cast<double>(num_weights)) {
    result.is_dense_ = true;
    result.dense_.assign(num_weights, 0.0f);
    for (size_t r = 0; r < result.num_rows_; ++r) {
      float* row = result.dense_.data() + r * result.num_columns_;
      for (size_t e = result.row_begin_[r]; e < result.row_begin_[r + 1]; ++e) {
        row[weights.columns[e]] = result.indices_.empty()
                                      ? result.values_[e]
                                      : result.codebook_[result.indices_[e]];
      }
    }
    result.row_begin_ = {};
    result.indices_ = {};
    result.codebook_ = {};
    result.values_ = {};
  } else if (result.num_columns_ <=
             size_t{std::numeric_limits<uint16_t>::max()} + 1) {
    result.columns16_.resize(num_entries);
    std::transform(weights.columns.begin(), weights.columns.end(),
                   result.columns16_.begin(),
                   [](uint32_t c) { return static_cast<uint16_t>(c); });
  } else {
    result.columns32_ = std::move(weights.columns);
  }
  *packed = std::move(result);
  return KDC_OK;
}

void FullyConnected::Run(const float* input, size_t batch, const float* bias,
                         Activation activation, std::vector<float>* scratch,
                         float* output) const {
  if (is_dense_) {
    RunDense(input, batch, bias, output);
  } else if (columns32_.empty()) {
    RunSparse(columns16_.data(), input, batch, bias, scratch, output);
  } else {
    RunSparse(columns32_.data(), input, batch, bias, scratch, output);
  }
  ApplyActivation(activation, batch * num_rows_, output);
}

template <typename Column>
void FullyConnected::RunSparse(const Column* columns, const float* input,
                               size_t batch, const float* bias,
                               std::vector<float>* scratch,
                               float* output) const {
  if (indices_.empty()) {
    RunRows(row_begin_, columns, RawValues{values_.data()}, num_columns_, input,
            batch, bias, scratch, output);
  } else {
    RunRows(row_begin_, columns,
            CodebookValues{codebook_.data(), indices_.data()}, num_columns_,
            input, batch, bias, scratch, output);
  }
  for (size_t b = 0; b < batch; ++b) {
    const float* row = input + b * num_columns_;
    if (HasNonFinite(row, num_columns_)) {
      AddSkippedNaNs(row_begin_, columns, num_columns_, row,
                     output + b * num_rows_);
    }
  }
}

void FullyConnected::RunDense(const float* input, size_t batch,
                              const float* bias, float* output) const {
  // Rows of weights outside: each is read from memory once for the batch.
  for (size_t r = 0; r < num_rows_; ++r) {
    const float* weights = dense_.data() + r * num_columns_;
    const float offset = bias == nullptr ? 0.0f : bias[r];
    for (size_t b = 0; b < batch; ++b) {
      output[b * num_rows_ + r] =
          DotDense(weights, input + b * num_columns_, num_columns_) + offset;
    }
  }
}

size_t FullyConnected::size_bytes() const {
  const auto bytes = [](const auto& v) { return v.size() * sizeof(v[0]); };
  return bytes(row_begin_) + bytes(columns16_) + bytes(columns32_) +
         bytes(indices_) + bytes(codebook_) + bytes(values_) + bytes(dense_);
}

}  // namespace keras_dc
