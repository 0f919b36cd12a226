// How the pixels of a convolution are spread over SIMD lanes.
//
// For a kernel of one tap the pixels of all images stand in a row, and the
// lanes take neighbours. Otherwise the output is cut into a grid of as many
// rectangles as there are lanes, a lane for each. Then a step from tap to tap
// is a step of the same length for all lanes, from whole vector to whole
// vector, whatever the stride: no load is unaligned.
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

  bool operator==(const ConvAxis& other) const {
    return input == other.input && output == other.output &&
           kernel == other.kernel && stride == other.stride &&
           dilation == other.dilation && padding == other.padding;
  }
};

// Sets output and padding from the rest, as TFLite computes them. False if the
// kernel is larger than the input and there is no padding.
bool FillAxis(bool is_valid_padding, ConvAxis* axis);

struct ConvShape {
  ConvAxis height;
  ConvAxis width;
  size_t batch = 0;

  bool operator==(const ConvShape& other) const {
    return height == other.height && width == other.width &&
           batch == other.batch;
  }
};

class PixelGrid {
 public:
  PixelGrid() = default;
  // `max_outputs` is the most vectors of output of a tile. There must be less
  // than 2^31 pixels, and no more than 16 lanes.
  PixelGrid(const ConvShape& shape, size_t lanes, size_t max_outputs);

  size_t num_tiles() const { return num_tiles_; }
  // Vectors that a tile reads of each channel.
  size_t num_inputs() const;
  // Vectors that a tile writes of each filter; the last one of a line may write
  // fewer.
  size_t max_outputs() const { return tile_outputs_; }
  size_t NumOutputs(size_t tile) const;
  // For each tap, the first of the vectors of the tile's input that it reads;
  // the others follow it.
  std::vector<uint32_t> TapVectors() const;

  // Pixels by number, over all images, -1 for none: num_inputs() or
  // NumOutputs(tile) times `lanes`.
  void InputPixels(size_t tile, int32_t* pixels) const;
  void OutputPixels(size_t tile, int32_t* pixels) const;

 private:
  struct Tile {
    int64_t image, y, x;
  };
  Tile TileAt(size_t tile) const;
  // Columns of input that a tile reads of each phase.
  int64_t ColumnsPerPhase() const;
  void ChooseLanes(int64_t num_lanes);
  // Outputs of one vector, the one in place (y, x) of each lane's rectangle.
  void OutputsAt(const Tile& tile, int64_t step, int32_t* pixels) const;

  ConvShape shape_;
  size_t lanes_ = 1;
  bool is_pointwise_ = false;
  // The size of a lane's rectangle, and where each lane's begins: outside the
  // image for a lane that has none.
  int64_t lane_height_ = 1, lane_width_ = 1;
  std::vector<int64_t> lane_y_, lane_x_;
  size_t tile_outputs_ = 1;
  size_t tiles_per_row_ = 1;
  size_t num_tiles_ = 0;
  // The phases (positions modulo the stride) that some tap reads, and the place
  // of each among them.
  std::vector<int64_t> phases_;
  std::vector<size_t> place_of_phase_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_PIXEL_GRID_H_
