// From the values that a blob stores to elements of the tensor (FORMAT.md, 4).
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

// Turns values as stored into elements of the tensor's dtype.
void AsItems(const ParsedBlob& blob, std::vector<uint8_t>* stored);

// All weights of a tensor without codebook, gaps and mask, in C order.
kdc_status DenseItems(const ParsedBlob& blob, uint8_t* items);

// The codebook and the scales of a scaled tensor.
kdc_status StoredScales(const ParsedBlob& blob, std::vector<double>* codebook,
                        std::vector<double>* scales);

// What FillValues needs beside the blob.
struct LineValues {
  // The codebook of a tensor without scales, or all values if there are line
  // classes.
  std::vector<uint8_t> items;
  // For a scaled tensor.
  std::vector<double> centroids;
  std::vector<double> scales;
};

kdc_status UnpackLineValues(const ParsedBlob& blob, LineValues* values);

// Replaces the indices of a scaled tensor by values, since every channel has
// centroids of its own. The rows of `lines` are the tensor's rows, or its
// columns, from `first_line` on.
void ApplyScales(const ParsedBlob& blob, const LineValues& values,
                 bool are_columns, size_t first_line, SparseRows* lines);

// Sets the codebook or the values of lines that have their columns, and their
// indices if there is a codebook. `first_entry` is the number of their first
// entry in the scan; the rest is as for ApplyScales. Not for values that are
// stored by planes without line classes.
void FillValues(const ParsedBlob& blob, const LineValues& values,
                size_t first_line, size_t first_entry, SparseRows* lines);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_STORED_VALUES_H_
