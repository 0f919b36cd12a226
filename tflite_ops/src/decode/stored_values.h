// The values of a blob, as they are stored and as they are meant (FORMAT.md,
// 4).
#ifndef KERAS_DC_SRC_DECODE_STORED_VALUES_H_
#define KERAS_DC_SRC_DECODE_STORED_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/sparse_rows.h"
#include "decode/blob_reader.h"

namespace keras_dc {

// The codebook, or the values if there is none, as elements of the tensor's
// dtype. For a tensor without scales.
kdc_status StoredItems(const ParsedBlob& blob, std::vector<uint8_t>* items);

// Makes elements of the tensor's dtype of values as they are stored.
void AsItems(const ParsedBlob& blob, std::vector<uint8_t>* stored);

// All weights of a tensor without codebook, gaps and mask, in C order.
kdc_status DenseItems(const ParsedBlob& blob, uint8_t* items);

// The codebook and the scales of a scaled tensor.
kdc_status StoredScales(const ParsedBlob& blob, std::vector<double>* codebook,
                        std::vector<double>* scales);

// What the values of lines are made of.
struct LineValues {
  // The codebook of a tensor without scales, or all values if there are line
  // classes.
  std::vector<uint8_t> items;
  // Of a scaled tensor.
  std::vector<double> centroids;
  std::vector<double> scales;
};

kdc_status UnpackLineValues(const ParsedBlob& blob, LineValues* values);

// Puts `values` in the place of the indices of a scaled tensor, since every
// channel has centroids of its own. The rows of `lines` are the tensor's from
// `first_line` on, or its columns.
void ApplyScales(const ParsedBlob& blob, const LineValues& values,
                 bool are_columns, size_t first_line, SparseRows* lines);

// Gives lines with offsets, and with indices if there is a codebook, their
// codebook or values. `first_entry` is the number of their first entry; the
// rest is as for ApplyScales. Not for values by planes, but with line classes.
void FillValues(const ParsedBlob& blob, const LineValues& values,
                size_t first_line, size_t first_entry, SparseRows* lines);

// The sign of each centroid, by its highest bit.
kdc_status NegativeCentroids(const ParsedBlob& blob,
                             std::vector<uint8_t>* is_negative);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_STORED_VALUES_H_
