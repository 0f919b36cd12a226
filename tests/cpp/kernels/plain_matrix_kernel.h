// MatrixJob (kernels/tile/matrix_tile.h) as a plain loop.
#ifndef KERAS_DC_TESTS_CPP_KERNELS_PLAIN_MATRIX_KERNEL_H_
#define KERAS_DC_TESTS_CPP_KERNELS_PLAIN_MATRIX_KERNEL_H_

#include <cstring>
#include <vector>

#include "kernels/tile/matrix_tile.h"

namespace keras_dc {

// The int8 weights of a step, [kPanelRows][kStepBytes]; moves `words` behind
// them.
inline std::vector<int8_t> DenseStep(const MatrixJob& job, size_t step,
                                     const uint32_t** words) {
  constexpr size_t kRows = MatrixJob::kRows, kWords = MatrixJob::kWords;
  std::vector<int8_t> dense(MatrixJob::kPanelRows * MatrixJob::kStepBytes);
  const size_t num_sets = (job.num_rows + kRows - 1) / kRows;
  for (size_t set = 0; set < num_sets; ++set) {
    for (size_t w = 0; w < kWords; ++w) {
      const unsigned mask = job.masks[(step * num_sets + set) * kWords + w];
      for (size_t row = 0; row < kRows; ++row) {
        if ((mask >> row & 1) == 0) continue;
        std::memcpy(&dense[(set * kRows + row) * MatrixJob::kStepBytes + w * 4],
                    (*words)++, 4);
      }
    }
  }
  return dense;
}

inline void RunMatrixPlainly(const MatrixJob& job) {
  constexpr size_t kPanelRows = MatrixJob::kPanelRows;
  constexpr size_t kSize = MatrixPixels::kSize;
  // Sums wrap.
  std::vector<uint32_t> sums(job.num_pixels * kSize * kPanelRows);
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i] = i % kPanelRows < job.num_rows
                  ? static_cast<uint32_t>(job.bias[i % kPanelRows])
                  : 0;
  }
  const uint32_t* words = job.words;
  for (size_t step = 0; step < job.num_steps; ++step) {
    const std::vector<int8_t> dense = DenseStep(job, step, &words);
    for (size_t p = 0; p < job.num_pixels * kSize; ++p) {
      const uint8_t* pixel = job.input + job.pixels[p / kSize].offset +
                             p % kSize * job.pixel_stride +
                             job.step_offsets[step];
      for (size_t i = 0; i < dense.size(); ++i) {
        sums[p * kPanelRows + i / MatrixJob::kStepBytes] +=
            static_cast<uint32_t>(
                dense[i] *
                static_cast<int8_t>(pixel[i % MatrixJob::kStepBytes]));
      }
    }
  }
  for (size_t p = 0; p < job.num_pixels * kSize; ++p) {
    const int32_t pixel = job.pixels[p / kSize].outputs[p % kSize];
    if (pixel < 0) continue;
    const size_t at = static_cast<size_t>(pixel) * job.num_filters;
    if (job.scaling == nullptr) {
      std::memcpy(static_cast<uint8_t*>(job.output) + at * sizeof(int32_t),
                  &sums[p * kPanelRows], job.num_rows * sizeof(int32_t));
    } else {
      RequantizePortable(*job.scaling, job.num_rows, &sums[p * kPanelRows],
                         static_cast<int8_t*>(job.output) + at);
    }
  }
}

}  // namespace keras_dc

#endif  // KERAS_DC_TESTS_CPP_KERNELS_PLAIN_MATRIX_KERNEL_H_
