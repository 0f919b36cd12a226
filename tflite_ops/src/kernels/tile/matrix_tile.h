// The inner loop of int8 layers for processors that multiply matrices of int8
// numbers (Intel AMX). One instruction adds the products of 16 pixels with 16
// rows of weights over 64 neighbouring channels, a *step*. It takes as long for
// weights that are zeros; so the sparse weights of a panel are made dense when
// its first pixels come, and forgotten after its last ones.
#ifndef KERAS_DC_SRC_KERNELS_TILE_MATRIX_TILE_H_
#define KERAS_DC_SRC_KERNELS_TILE_MATRIX_TILE_H_

#include <cstddef>
#include <cstdint>

#include "kernels/requantize.h"

namespace keras_dc {

// 16 pixels that are computed together. They lie at the same distance from each
// other.
struct MatrixPixels {
  static constexpr size_t kSize = 16;

  // Of the first one, in bytes.
  size_t offset = 0;
  // The pixel of the output that each is, -1 for none.
  int32_t outputs[kSize] = {};
};

// A panel of weights, as MatrixWeights (forms/matrix_weights.h) packs it, times
// some pixels.
struct MatrixJob {
  // Rows of weights that one instruction multiplies, words of a step, and bytes
  // of a step.
  static constexpr size_t kRows = 16, kWords = 16, kStepBytes = 64;
  // Rows of a panel, at most.
  static constexpr size_t kPanelRows = 4 * kRows;
  // Steps whose weights are made dense before they are multiplied.
  static constexpr size_t kStepsAhead = 8;

  // For each step and each 16 rows of the panel 16 masks, one for each word:
  // bit r is set if row r has the word. `words` are theirs, in this order.
  const uint16_t* masks = nullptr;
  const uint32_t* words = nullptr;
  size_t num_rows = 0;
  size_t num_steps = 0;
  // What each step reads of a pixel begins so many bytes behind its own.
  const size_t* step_offsets = nullptr;

  // What a step reads behind a pixel's last channel meets no weights, but may
  // be read.
  const uint8_t* input = nullptr;
  size_t pixel_stride = 0;
  const MatrixPixels* pixels = nullptr;
  size_t num_pixels = 0;

  // kPanelRows numbers, aligned to 64 bytes.
  const int32_t* bias = nullptr;
  // If null, the outputs are the sums.
  const OutputScalingView* scaling = nullptr;
  // For scales of any kind.
  Requantize requantize = nullptr;
  // Of pixel 0 and the panel's first row: int8, or 32-bit integers. A pixel has
  // `num_filters`.
  void* output = nullptr;
  size_t num_filters = 0;

  // Scratch, aligned to 64 bytes: the panel's weights of each step, but of
  // kStepsAhead at least; and kPanelRows * 16 numbers.
  uint8_t* dense = nullptr;
  int32_t* sums = nullptr;
};

using MatrixKernel = void (*)(const MatrixJob& job);

// Needs MayUseMatrixRegisters() (common/cpu.h).
void RunMatrixAmx(const MatrixJob& job);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_TILE_MATRIX_TILE_H_
