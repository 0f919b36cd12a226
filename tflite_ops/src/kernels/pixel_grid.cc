#include "kernels/pixel_grid.h"

#include <algorithm>
#include <array>

namespace keras_dc {
namespace {

// A coordinate outside every image, small enough to be multiplied.
constexpr int64_t kOutside = int64_t{1} << 40;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

bool IsPointwise(const ConvAxis& axis) {
  return axis.kernel == 1 && axis.stride == 1 && axis.padding == 0;
}

constexpr size_t kMaxLanes = 16;

// pixels[c][lane] = lines[lane] + columns[c][lane], or -1 if one of them is -1.
template <size_t kLanes>
void AddLines(const int32_t* lines, const int32_t* columns, size_t num_columns,
              int32_t* pixels) {
  for (size_t c = 0; c < num_columns; ++c) {
    for (size_t l = 0; l < kLanes; ++l) {
      const int32_t line = lines[l], column = columns[c * kLanes + l];
      pixels[c * kLanes + l] = (line + column) | ((line | column) >> 31);
    }
  }
}

void AddLines(const int32_t* lines, const int32_t* columns, size_t num_columns,
              size_t lanes, int32_t* pixels) {
  switch (lanes) {
    case 16:
      return AddLines<16>(lines, columns, num_columns, pixels);
    case 8:
      return AddLines<8>(lines, columns, num_columns, pixels);
    case 4:
      return AddLines<4>(lines, columns, num_columns, pixels);
    default:
      for (size_t c = 0; c < num_columns; ++c) {
        for (size_t l = 0; l < lanes; ++l) {
          AddLines<1>(lines + l, columns + c * lanes + l, 1,
                      pixels + c * lanes + l);
        }
      }
  }
}

}  // namespace

bool FillAxis(bool is_valid_padding, ConvAxis* axis) {
  const int64_t reach = (axis->kernel - 1) * axis->dilation + 1;
  if (is_valid_padding) {
    if (axis->input < reach) return false;
    axis->output = (axis->input - reach) / axis->stride + 1;
    axis->padding = 0;
    return true;
  }
  axis->output = (axis->input + axis->stride - 1) / axis->stride;
  const int64_t missing =
      (axis->output - 1) * axis->stride + reach - axis->input;
  axis->padding = std::max<int64_t>(missing, 0) / 2;
  return true;
}

PixelGrid::PixelGrid(const ConvShape& shape, size_t lanes, size_t max_outputs)
    : shape_(shape), lanes_(lanes) {
  is_pointwise_ = IsPointwise(shape.height) && IsPointwise(shape.width);
  if (is_pointwise_) {
    shape_.width.input = shape_.width.output =
        static_cast<int64_t>(shape.batch) * shape.height.output *
        shape.width.output;
    shape_.height.input = shape_.height.output = 1;
    shape_.batch = shape_.width.output > 0 ? 1 : 0;
    lane_width_ = DivideUp(shape_.width.output, static_cast<int64_t>(lanes_));
  } else {
    ChooseLanes(static_cast<int64_t>(lanes_));
  }
  const int64_t stride = shape_.width.stride;
  place_of_phase_.resize(static_cast<size_t>(stride));
  std::vector<bool> is_read(static_cast<size_t>(stride));
  for (int64_t k = 0; k < shape_.width.kernel; ++k) {
    is_read[static_cast<size_t>(k * shape_.width.dilation % stride)] = true;
  }
  for (int64_t phase = 0; phase < stride; ++phase) {
    if (!is_read[static_cast<size_t>(phase)]) continue;
    place_of_phase_[static_cast<size_t>(phase)] = phases_.size();
    phases_.push_back(phase);
  }
  if (lane_width_ == 0 || lane_height_ == 0) return;
  // Tiles of about the same width.
  const auto width = static_cast<size_t>(lane_width_);
  tiles_per_row_ = (width + max_outputs - 1) / max_outputs;
  tile_outputs_ = (width + tiles_per_row_ - 1) / tiles_per_row_;
  tiles_per_row_ = (width + tile_outputs_ - 1) / tile_outputs_;
  num_tiles_ =
      shape_.batch * static_cast<size_t>(lane_height_) * tiles_per_row_;
}

void PixelGrid::ChooseLanes(int64_t num_lanes) {
  // The fewest vectors; among equals the widest rectangles, which share the
  // most input.
  int64_t best = INT64_MAX, grid_height = 1, grid_width = 1;
  for (int64_t height = 1; height <= num_lanes; ++height) {
    const int64_t width = num_lanes / height;
    const int64_t lane_height = DivideUp(shape_.height.output, height);
    const int64_t lane_width = DivideUp(shape_.width.output, width);
    const int64_t vectors = lane_height * lane_width;
    if (vectors > best || (vectors == best && lane_width < lane_width_)) {
      continue;
    }
    best = vectors;
    grid_height = height;
    grid_width = width;
    lane_height_ = lane_height;
    lane_width_ = lane_width;
  }
  for (int64_t lane = 0; lane < num_lanes; ++lane) {
    const bool is_used = lane < grid_height * grid_width;
    lane_y_.push_back(is_used ? lane / grid_width * lane_height_ : kOutside);
    lane_x_.push_back(is_used ? lane % grid_width * lane_width_ : kOutside);
  }
}

int64_t PixelGrid::ColumnsPerPhase() const {
  const ConvAxis& width = shape_.width;
  return static_cast<int64_t>(tile_outputs_) +
         (width.kernel - 1) * width.dilation / width.stride;
}

size_t PixelGrid::num_inputs() const {
  return static_cast<size_t>(shape_.height.kernel * ColumnsPerPhase()) *
         phases_.size();
}

std::vector<uint32_t> PixelGrid::TapVectors() const {
  const ConvAxis& width = shape_.width;
  const auto columns = static_cast<size_t>(ColumnsPerPhase());
  std::vector<uint32_t> vectors;
  for (int64_t ky = 0; ky < shape_.height.kernel; ++ky) {
    for (int64_t kx = 0; kx < width.kernel; ++kx) {
      const int64_t step = kx * width.dilation;
      const size_t phase =
          place_of_phase_[static_cast<size_t>(step % width.stride)];
      const size_t line = static_cast<size_t>(ky) * phases_.size() + phase;
      vectors.push_back(static_cast<uint32_t>(
          line * columns + static_cast<size_t>(step / width.stride)));
    }
  }
  return vectors;
}

PixelGrid::Tile PixelGrid::TileAt(size_t tile) const {
  const size_t line = tile / tiles_per_row_;
  const auto height = static_cast<size_t>(lane_height_);
  return {static_cast<int64_t>(line / height),
          static_cast<int64_t>(line % height),
          static_cast<int64_t>(tile % tiles_per_row_ * tile_outputs_)};
}

size_t PixelGrid::NumOutputs(size_t tile) const {
  const auto left = static_cast<size_t>(lane_width_ - TileAt(tile).x);
  return std::min(left, tile_outputs_);
}

void PixelGrid::OutputsAt(const Tile& tile, int64_t step,
                          int32_t* pixels) const {
  const int64_t height = shape_.height.output, width = shape_.width.output;
  if (is_pointwise_) {
    const auto lanes = static_cast<int64_t>(lanes_);
    const int64_t first = (tile.x + step) * lanes;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      pixels[lane] =
          first + lane < width ? static_cast<int32_t>(first + lane) : -1;
    }
    return;
  }
  for (size_t lane = 0; lane < lanes_; ++lane) {
    const int64_t y = lane_y_[lane] + tile.y;
    const int64_t x = lane_x_[lane] + tile.x + step;
    const bool is_inside = y < height && x < width;
    const int64_t pixel = (tile.image * height + y) * width + x;
    pixels[lane] = is_inside ? static_cast<int32_t>(pixel) : -1;
  }
}

void PixelGrid::OutputPixels(size_t tile, int32_t* pixels) const {
  const Tile at = TileAt(tile);
  const size_t num_outputs = NumOutputs(tile);
  for (size_t i = 0; i < num_outputs; ++i) {
    OutputsAt(at, static_cast<int64_t>(i), pixels + i * lanes_);
  }
}

void PixelGrid::InputPixels(size_t tile, int32_t* pixels) const {
  const Tile at = TileAt(tile);
  const ConvAxis& height = shape_.height;
  const ConvAxis& width = shape_.width;
  const int64_t columns = ColumnsPerPhase();
  if (is_pointwise_) {
    for (int64_t i = 0; i < columns; ++i, pixels += lanes_) {
      OutputsAt(at, i, pixels);
    }
    return;
  }
  // The columns are written to where the pixels of the first row of taps will
  // be.
  int32_t* column = pixels;
  for (const int64_t phase : phases_) {
    for (int64_t i = 0; i < columns; ++i) {
      for (size_t lane = 0; lane < lanes_; ++lane) {
        const int64_t x =
            (lane_x_[lane] + at.x + i) * width.stride + phase - width.padding;
        const bool is_inside = x >= 0 && x < width.input;
        *column++ = is_inside ? static_cast<int32_t>(x) : -1;
      }
    }
  }
  const size_t num_columns = static_cast<size_t>(columns) * phases_.size();
  for (int64_t ky = height.kernel - 1; ky >= 0; --ky) {
    std::array<int32_t, kMaxLanes> lines;
    for (size_t lane = 0; lane < lanes_; ++lane) {
      const int64_t y = (lane_y_[lane] + at.y) * height.stride +
                        ky * height.dilation - height.padding;
      const bool is_inside = y >= 0 && y < height.input;
      const int64_t line = at.image * height.input + y;
      lines[lane] = is_inside ? static_cast<int32_t>(line * width.input) : -1;
    }
    AddLines(lines.data(), pixels, num_columns, lanes_,
             pixels + static_cast<size_t>(ky) * num_columns * lanes_);
  }
}

}  // namespace keras_dc
