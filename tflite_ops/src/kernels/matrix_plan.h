// How a convolution of int8 numbers becomes products of matrices
// (kernels/tile/matrix_tile.h).
//
// The pixels of a matrix must lie at the same distance from each other. So they
// are neighbours in a padded copy of the input, whose lines follow each other:
// with stride 1 a matrix goes on over the end of a line, and what it computes
// of the padding is dropped. With other strides it ends there.
#ifndef KERAS_DC_SRC_KERNELS_MATRIX_PLAN_H_
#define KERAS_DC_SRC_KERNELS_MATRIX_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/pixel_grid.h"
#include "kernels/tile/matrix_tile.h"

namespace keras_dc {

class MatrixPlan {
 public:
  // Without a kernel.
  MatrixPlan() = default;
  MatrixPlan(const ConvShape& shape, size_t channels,
             MatrixKernel matrix_kernel);

  MatrixKernel kernel() const { return kernel_; }
  // The distance of pixels that follow each other in a matrix.
  size_t pixel_stride() const { return pixel_stride_; }
  const std::vector<MatrixPixels>& pixels() const { return pixels_; }
  // MatrixJob::step_offsets, and for each column of words MatrixWeights::Pack's
  // place.
  const std::vector<size_t>& step_offsets() const { return step_offsets_; }
  const std::vector<uint32_t>& places() const { return places_; }

  // Whether the input is read as it is, without a copy.
  bool is_direct() const { return is_direct_; }
  // The size of a copy, and how it is made, line by line. The padding is
  // `zero_point`.
  size_t copy_bytes() const { return copy_bytes_; }
  size_t num_lines() const;
  void CopyLine(const int8_t* input, int8_t zero_point, size_t line,
                uint8_t* copy) const;

  // Tests pack all weights for matrices.
  void AlwaysUse() { is_always_used_ = true; }
  // Whether this is faster for `num_words` words in `num_rows` rows than the
  // loops over words.
  bool IsFaster(size_t num_words, size_t num_rows) const;

 private:
  void MakeSteps();
  void MakePixels();
  void AddPixels(size_t offset, size_t first, size_t last);
  int32_t OutputAt(size_t position) const;

  MatrixKernel kernel_ = nullptr;
  bool is_always_used_ = false;
  ConvShape shape_;
  size_t channels_ = 0;
  size_t pixel_bytes_ = 0;
  size_t pixel_stride_ = 0;
  // Of an image in the copy.
  size_t height_ = 0, width_ = 0;
  size_t copy_bytes_ = 0;
  bool is_direct_ = false;
  std::vector<MatrixPixels> pixels_;
  std::vector<size_t> step_offsets_;
  std::vector<uint32_t> places_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_MATRIX_PLAN_H_
