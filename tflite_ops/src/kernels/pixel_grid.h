// Which pixels of a convolution the SIMD lanes hold.
//
// For a kernel of one tap the pixels of all images stand in a row, and the
// lanes hold neighbours. Otherwise the output is cut into a grid of rectangles,
// one for each lane. Then a step from tap to tap is the same step for all
// lanes, from one whole vector to another, whatever the stride is: no load is
// unaligned.
#ifndef KERAS_DC_SRC_KERNELS_PIXEL_GRID_H_
#define KERAS_DC_SRC_KERNELS_PIXEL_GRID_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace keras_dc {

// One spatial dimension of a convolution: output position `o` reads input
// positions `o * stride + k * dilation - padding`, for k from 0 to kernel - 1.
// Positions outside the input read zeros.
struct ConvAxis {
  int64_t input = 0;
  int64_t output = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t padding = 0;
};

// Sets output and padding from the rest, as TFLite computes them. False if the
// kernel is larger than the input and there is no padding.
bool FillAxis(bool is_valid_padding, ConvAxis* axis);

struct ConvShape {
  ConvAxis height;
  ConvAxis width;
  size_t batch = 0;
};

class PixelGrid {
 public:
  PixelGrid() = default;
  // A tile writes at most `max_outputs` vectors. There must be fewer than 2^31
  // pixels, and at most 16 lanes.
  PixelGrid(const ConvShape& shape, size_t lanes, size_t max_outputs);

  size_t num_tiles() const { return num_tiles_; }
  // Vectors that a tile reads for each channel.
  size_t num_inputs() const;
  // Vectors that a tile writes for each filter. The last tile of a row of tiles
  // may write fewer.
  size_t max_outputs() const { return tile_outputs_; }
  size_t NumOutputs(size_t tile) const;
  // For each tap, the first input vector that it reads; the others follow.
  std::vector<uint32_t> TapVectors() const;

  // The pixel of each lane of the num_inputs() or NumOutputs(tile) vectors, as
  // a number over all images; -1 for none.
  void InputPixels(size_t tile, int32_t* pixels) const;
  void OutputPixels(size_t tile, int32_t* pixels) const;

 private:
  struct Tile {
    int64_t image, y, x;
  };
  Tile TileAt(size_t tile) const;
  // Columns of the input that a tile reads for each phase.
  int64_t ColumnsPerPhase() const;
  void ChooseLanes(int64_t num_lanes);
  // The pixels of the tile's output vector `step`.
  void OutputsAt(const Tile& tile, int64_t step, int32_t* pixels) const;

  ConvShape shape_;
  size_t lanes_ = 1;
  bool is_pointwise_ = false;
  // The size of a lane's rectangle, and where the rectangle of each lane
  // begins: outside the image for a lane that has none.
  int64_t lane_height_ = 1, lane_width_ = 1;
  std::vector<int64_t> lane_y_, lane_x_;
  size_t tile_outputs_ = 1;
  size_t tiles_per_row_ = 1;
  size_t num_tiles_ = 0;
  // The phases (column modulo stride) that some tap reads, and for each phase
  // its place among them.
  std::vector<int64_t> phases_;
  std::vector<size_t> place_of_phase_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_PIXEL_GRID_H_
