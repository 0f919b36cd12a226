// A blob of each kind.
#ifndef KERAS_DC_TESTS_CPP_BLOB_KINDS_H_
#define KERAS_DC_TESTS_CPP_BLOB_KINDS_H_

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "api/recoder.h"
#include "decode/decoder.h"
#include "encode/scaled_encoder.h"
#include "fake_runtime.h"

namespace keras_dc {

struct BlobKind {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<uint8_t> blob;
  // The tensor that the blob holds.
  std::vector<float> values;

  size_t num_rows() const { return static_cast<size_t>(shape[0]); }
  size_t num_columns() const { return values.size() / num_rows(); }
};

// Reads a blob that is in order and outlives the result.
inline ParsedBlob Parsed(const std::vector<uint8_t>& blob) {
  ParsedBlob parsed;
  if (ReadBlob(blob.data(), blob.size(), &parsed) != KDC_OK) std::abort();
  return parsed;
}

inline kdc_blob_info InfoOf(const std::vector<uint8_t>& blob) {
  return Parsed(blob).info;
}

// `size` random weights. A share `density` of them is kept, with `num_values`
// distinct values; if that is 0, nearly all values differ.
inline std::vector<float> SparseValues(size_t size, double density,
                                       unsigned num_values) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> uniform;
  std::vector<float> values(size);
  for (float& value : values) {
    if (uniform(random) >= density) continue;
    value = num_values == 0
                ? static_cast<float>(uniform(random)) - 0.5f
                : 0.25f * static_cast<float>(random() % num_values + 1) - 3.1f;
  }
  return values;
}

// Some columns are full, the others are zero: gaps are 0 in a scan by columns,
// and long in one by rows.
inline std::vector<float> FullColumns(size_t num_rows, size_t num_columns) {
  std::vector<float> values = SparseValues(num_rows * num_columns, 1, 31);
  const std::vector<float> is_full = SparseValues(num_columns, 0.2, 1);
  for (size_t i = 0; i < values.size(); ++i) {
    if (is_full[i % num_columns] == 0) values[i] = 0;
  }
  return values;
}

// Every fifth row is much denser than the others, which the arithmetic coder
// learns.
inline std::vector<float> UnlikeRows(size_t num_rows, size_t num_columns) {
  std::vector<float> values = SparseValues(num_rows * num_columns, 0.5, 31);
  const std::vector<float> mask =
      SparseValues(num_rows * num_columns, 0.03, 31);
  for (size_t i = 0; i < values.size(); ++i) {
    if (i / num_columns % 5 != 0) values[i] = mask[i];
  }
  return values;
}

// The mask of each column is periodic, which the arithmetic coder learns in a
// scan by columns only.
inline std::vector<float> PeriodicColumns(size_t num_rows, size_t num_columns) {
  constexpr size_t kPeriod = 7;
  std::vector<float> values = SparseValues(num_rows * num_columns, 1, 31);
  const std::vector<float> mask = SparseValues(num_columns * kPeriod, 0.5, 1);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t row = i / num_columns, column = i % num_columns;
    if (mask[column * kPeriod + row % kPeriod] == 0) values[i] = 0;
  }
  return values;
}

// Every other row, or every other column, is nearly zero.
inline std::vector<float> HalfDead(size_t num_rows, size_t num_columns,
                                   bool by_columns) {
  std::vector<float> values = SparseValues(num_rows * num_columns, 1, 0);
  const std::vector<float> dead = SparseValues(values.size(), 0.5, 2);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t line = by_columns ? i % num_columns : i / num_columns;
    if (line % 2 == 0) values[i] = 1e-8f * dead[i];
  }
  return values;
}

// Replaces kept weights by many distinct values that are exact in float16.
inline std::vector<float> OtherHalves(std::vector<float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) values[i] = static_cast<float>(i * i % 1009 + 1);
  }
  return values;
}

// No zeros, and each value is like the one before.
inline std::vector<float> Staircase(size_t size) {
  std::vector<float> values(size);
  for (size_t i = 0; i < size; ++i) {
    values[i] = 0.5f + 0.25f * static_cast<float>(i / 7 % 60);
  }
  return values;
}

inline BlobKind KindOf(const std::string& name,
                       const std::vector<int64_t>& shape,
                       const std::vector<uint8_t>& blob) {
  BlobKind kind{name, shape, blob, {}};
  kind.values.resize(static_cast<size_t>(InfoOf(blob).num_weights));
  if (DecodeDense(Parsed(blob), 1, kind.values.data(),
                  kind.values.size() * sizeof(float)) != KDC_OK) {
    std::abort();
  }
  return kind;
}

// By the arithmetic coder, with positions by a mask or by gaps.
inline std::vector<uint8_t> Recoded(const std::vector<uint8_t>& blob,
                                    bool has_mask_model = true) {
  std::vector<uint8_t> recoded;
  if (Recode(blob.data(), blob.size(), has_mask_model, &recoded) != KDC_OK) {
    std::abort();
  }
  return recoded;
}

// A blob with scales: a codebook times a scale for each channel of `axis`.
inline std::vector<uint8_t> ScaledBlob(const std::vector<int64_t>& shape,
                                       kdc_scale_axis axis) {
  const size_t num_channels = static_cast<size_t>(
      axis == KDC_FIRST_AXIS ? shape.front() : shape.back());
  size_t size = 1;
  for (const int64_t dim : shape) size *= static_cast<size_t>(dim);
  std::vector<double> codebook, scales;
  for (int i = 0; i < 31; ++i) {
    codebook.push_back(0.25f * static_cast<float>(i + 1) - 3.1f);
  }
  for (size_t c = 0; c < num_channels; ++c) {
    scales.push_back(1.0 + 0.01 * static_cast<double>(c));
  }
  std::vector<float> values = SparseValues(size, 0.3, 31);
  for (size_t i = 0; i < size; ++i) {
    const size_t channel =
        axis == KDC_FIRST_AXIS ? i / (size / num_channels) : i % num_channels;
    values[i] = static_cast<float>(double{values[i]} * scales[channel]);
  }
  std::vector<uint8_t> blob;
  if (EncodeScaled(values.data(), KDC_FLOAT32, shape.data(),
                   static_cast<int32_t>(shape.size()), codebook, scales, axis,
                   &blob) != KDC_OK) {
    std::abort();
  }
  return blob;
}

inline std::vector<BlobKind> AllBlobKinds(const std::vector<int64_t>& shape) {
  size_t size = 1;
  for (const int64_t dim : shape) size *= static_cast<size_t>(dim);
  const auto num_rows = static_cast<size_t>(shape[0]);
  const std::vector<uint8_t> gaps =
      EncodeFloats(SparseValues(size, 0.2, 31), shape);
  const std::vector<uint8_t> columns =
      EncodeFloats(FullColumns(num_rows, size / num_rows), shape);
  const std::vector<uint8_t> scaled = ScaledBlob(shape, KDC_LAST_AXIS);
  const std::vector<uint8_t> rows =
      EncodeFloats(UnlikeRows(num_rows, size / num_rows), shape);
  const std::vector<uint8_t> periodic =
      EncodeFloats(PeriodicColumns(num_rows, size / num_rows), shape);
  return {
      KindOf("gaps", shape, gaps),
      KindOf("fillers", shape,
             EncodeFloats(SparseValues(size, 0.005, 31), shape)),
      KindOf("one centroid", shape,
             EncodeFloats(SparseValues(size, 0.2, 1), shape)),
      KindOf("nothing kept", shape,
             EncodeFloats(std::vector<float>(size), shape)),
      KindOf("no gaps", shape, EncodeFloats(SparseValues(size, 1, 9), shape)),
      KindOf("values with gaps", shape,
             EncodeFloats(SparseValues(size, 0.2, 0), shape)),
      KindOf("values", shape, EncodeFloats(SparseValues(size, 1, 0), shape)),
      KindOf("half values with gaps", shape,
             EncodeFloats(OtherHalves(SparseValues(size, 0.2, 31)), shape)),
      KindOf("dead rows", shape,
             EncodeFloats(HalfDead(num_rows, size / num_rows, false), shape)),
      KindOf("dead columns", shape,
             EncodeFloats(HalfDead(num_rows, size / num_rows, true), shape)),
      KindOf("columns", shape, columns),
      KindOf("scaled rows", shape, ScaledBlob(shape, KDC_FIRST_AXIS)),
      KindOf("scaled columns", shape, scaled),
      KindOf("arithmetic", shape, Recoded(rows)),
      KindOf("arithmetic columns", shape, Recoded(periodic)),
      KindOf("arithmetic values", shape,
             Recoded(EncodeFloats(
                 OtherHalves(UnlikeRows(num_rows, size / num_rows)), shape))),
      KindOf("arithmetic scaled", shape, Recoded(scaled)),
      KindOf("arithmetic gaps", shape, Recoded(rows, false)),
      KindOf("arithmetic column gaps", shape, Recoded(columns, false)),
      KindOf("arithmetic value gaps", shape,
             Recoded(
                 EncodeFloats(
                     OtherHalves(UnlikeRows(num_rows, size / num_rows)), shape),
                 false)),
      KindOf("arithmetic dense", shape,
             Recoded(EncodeFloats(Staircase(size), shape))),
      KindOf("arithmetic dense values", shape,
             Recoded(EncodeFloats(SparseValues(size, 1, 0), shape))),
  };
}

}  // namespace keras_dc

#endif  // KERAS_DC_TESTS_CPP_BLOB_KINDS_H_
