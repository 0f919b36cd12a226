#include "kernels/matrix_plan.h"

#include <algorithm>
#include <cstring>

#include "kernels/forms/weight_words.h"
#include "kernels/tile/int8_tile.h"

namespace keras_dc {
namespace {

constexpr size_t kStepBytes = MatrixJob::kStepBytes;
constexpr size_t kPixels = MatrixPixels::kSize;

// Cycles of Emerald Rapids: to make 16 rows of a step dense, to multiply them
// by 16 pixels, and to multiply a word by 16 pixels with VNNI.
constexpr double kSpread = 60.0, kProduct = 20.0, kWord = 1.2;

// The padded size of an axis.
size_t Padded(const ConvAxis& axis) {
  return static_cast<size_t>((axis.output - 1) * axis.stride +
                             (axis.kernel - 1) * axis.dilation + 1);
}

bool IsPlain(const ConvAxis& axis) {
  return axis.stride == 1 && axis.padding == 0 &&
         Padded(axis) == static_cast<size_t>(axis.input);
}

}  // namespace

MatrixPlan::MatrixPlan(const ConvShape& shape, size_t channels,
                       MatrixKernel matrix_kernel)
    : kernel_(matrix_kernel),
      shape_(shape),
      channels_(channels),
      pixel_bytes_(NumWords(channels) * kWordChannels),
      pixel_stride_(static_cast<size_t>(shape.width.stride) * pixel_bytes_) {
  ConvAxis &height = shape_.height, &width = shape_.width;
  bool is_plain = IsPlain(height) && IsPlain(width);
  if (is_plain && height.kernel == 1 && width.kernel == 1) {
    // One line of pixels.
    width.input = width.output =
        static_cast<int64_t>(shape.batch) * height.output * width.output;
    height.input = height.output = 1;
    shape_.batch = 1;
  }
  if (shape_.batch == 0 || height.output <= 0 || width.output <= 0) return;
  height_ = Padded(height);
  width_ = Padded(width);
  MakeSteps();
  // The last step of the last pixel must end with the input.
  is_direct_ = is_plain && channels % kStepBytes == 0;
  MakePixels();
  copy_bytes_ = shape_.batch * height_ * width_ * pixel_bytes_ +
                kPixels * pixel_stride_ + kStepBytes;
}

void MatrixPlan::MakeSteps() {
  const ConvAxis &height = shape_.height, &width = shape_.width;
  const auto taps = static_cast<size_t>(width.kernel);
  const auto step = static_cast<size_t>(width.dilation) * pixel_bytes_;
  // The taps of a line are one after the other where that fills steps better.
  const bool is_by_tap = width.dilation > 1 || pixel_bytes_ % kStepBytes == 0;
  const size_t line_steps =
      ((is_by_tap ? pixel_bytes_ : taps * pixel_bytes_) + kStepBytes - 1) /
      kStepBytes;
  const size_t num_words = pixel_bytes_ / kWordChannels;
  for (size_t ky = 0; ky < static_cast<size_t>(height.kernel); ++ky) {
    const size_t first = step_offsets_.size();
    const size_t line =
        ky * static_cast<size_t>(height.dilation) * width_ * pixel_bytes_;
    for (size_t i = 0; i < line_steps; ++i) {
      // Taps that follow each other read the same pixels of other outputs.
      for (size_t kx = 0; kx < (is_by_tap ? taps : 1); ++kx) {
        step_offsets_.push_back(line + kx * step + i * kStepBytes);
      }
    }
    for (size_t kx = 0; kx < taps; ++kx) {
      for (size_t w = 0; w < num_words; ++w) {
        const size_t word = is_by_tap ? w : kx * num_words + w;
        const size_t i = word / MatrixJob::kWords;
        places_.push_back(static_cast<uint32_t>(
            (first + (is_by_tap ? i * taps + kx : i)) * MatrixJob::kWords +
            word % MatrixJob::kWords));
      }
    }
  }
}

int32_t MatrixPlan::OutputAt(size_t position) const {
  const ConvAxis &height = shape_.height, &width = shape_.width;
  const size_t line = position / width_, x = position % width_;
  const size_t image = line / height_, y = line % height_;
  const auto num_lines = static_cast<size_t>(height.output);
  const auto num_columns = static_cast<size_t>(width.output);
  if (image >= shape_.batch || y >= num_lines || x >= num_columns) return -1;
  return static_cast<int32_t>((image * num_lines + y) * num_columns + x);
}

void MatrixPlan::MakePixels() {
  const ConvAxis &height = shape_.height, &width = shape_.width;
  const auto num_lines = static_cast<size_t>(height.output);
  const auto num_columns = static_cast<size_t>(width.output);
  if (height.stride == 1 && width.stride == 1) {
    // Up to the last output.
    const size_t size =
        ((shape_.batch - 1) * height_ + num_lines - 1) * width_ + num_columns;
    is_direct_ = is_direct_ && size >= kPixels;
    for (size_t first = 0; first < size; first += kPixels) {
      const size_t begin = is_direct_ ? std::min(first, size - kPixels) : first;
      MatrixPixels pixels;
      pixels.offset = begin * pixel_bytes_;
      bool has_output = false;
      for (size_t i = 0; i < kPixels; ++i) {
        // Each output once.
        pixels.outputs[i] = begin + i < first ? -1 : OutputAt(begin + i);
        has_output = has_output || pixels.outputs[i] >= 0;
      }
      if (has_output) pixels_.push_back(pixels);
    }
    return;
  }
  for (size_t line = 0; line < shape_.batch * num_lines; ++line) {
    const size_t top = line / num_lines * height_ +
                       line % num_lines * static_cast<size_t>(height.stride);
    for (size_t first = 0; first < num_columns; first += kPixels) {
      MatrixPixels pixels;
      pixels.offset = top * width_ * pixel_bytes_ + first * pixel_stride_;
      for (size_t i = 0; i < kPixels; ++i) {
        const size_t x = first + i;
        pixels.outputs[i] =
            x < num_columns ? static_cast<int32_t>(line * num_columns + x) : -1;
      }
      pixels_.push_back(pixels);
    }
  }
}

size_t MatrixPlan::num_lines() const { return shape_.batch * height_; }

void MatrixPlan::CopyLine(const int8_t* input, int8_t zero_point, size_t line,
                          uint8_t* copy) const {
  const ConvAxis &height = shape_.height, &width = shape_.width;
  uint8_t* to = copy + line * width_ * pixel_bytes_;
  const int64_t y = static_cast<int64_t>(line % height_) - height.padding;
  const auto left = static_cast<size_t>(width.padding);
  const bool is_inside = y >= 0 && y < height.input;
  const size_t size =
      is_inside ? std::min(static_cast<size_t>(width.input), width_ - left) : 0;
  const size_t before = is_inside ? left : width_;
  std::memset(to, zero_point, before * pixel_bytes_);
  if (!is_inside) return;
  const auto image = static_cast<int64_t>(line / height_);
  const auto* from =
      reinterpret_cast<const uint8_t*>(input) +
      static_cast<size_t>((image * height.input + y) * width.input) * channels_;
  to += left * pixel_bytes_;
  if (pixel_bytes_ == channels_) {
    std::memcpy(to, from, size * channels_);
  } else {
    for (size_t x = 0; x < size; ++x) {
      std::memcpy(to + x * pixel_bytes_, from + x * channels_, channels_);
    }
  }
  std::memset(to + size * pixel_bytes_, zero_point,
              (width_ - left - size) * pixel_bytes_);
}

bool MatrixPlan::IsFaster(size_t num_words, size_t num_rows) const {
  if (kernel_ == nullptr || pixels_.empty()) return false;
  if (is_always_used_) return true;
  const auto num_pixels = static_cast<double>(pixels_.size());
  const auto num_outputs =
      static_cast<double>(shape_.batch) *
      static_cast<double>(shape_.height.output * shape_.width.output);
  const auto num_sets =
      static_cast<double>((num_rows + MatrixJob::kRows - 1) / MatrixJob::kRows);
  const double matrices = num_sets * static_cast<double>(step_offsets_.size()) *
                          (kSpread + kProduct * num_pixels);
  const double words = static_cast<double>(num_words) * kWord *
                       (1.0 + num_outputs / static_cast<double>(kPixels));
  return matrices < words;
}

}  // namespace keras_dc
