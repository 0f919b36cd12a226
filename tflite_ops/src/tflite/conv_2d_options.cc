#include "tflite/conv_2d_options.h"

#include <algorithm>
#include <array>
#include <string>

namespace keras_dc {
namespace {

constexpr size_t kNumOptionBytes = 7;
constexpr uint8_t kValidPadding = 1;

}  // namespace

Error ParseConv2DOptions(const uint8_t* bytes, size_t size,
                         Conv2DOptions* options) {
  if (size > kNumOptionBytes) {
    return "expected at most " + std::to_string(kNumOptionBytes) +
           " bytes of custom options, got " + std::to_string(size);
  }
  std::array<uint8_t, kNumOptionBytes> all = {};
  std::copy_n(bytes, size, all.begin());
  if (all[0] >= kNumActivations) {
    return "unknown fused activation " + std::to_string(all[0]);
  }
  if (all[1] > kValidPadding) {
    return "unknown padding " + std::to_string(all[1]);
  }
  options->activation = static_cast<Activation>(all[0]);
  options->is_valid_padding = all[1] == kValidPadding;
  options->height.stride = all[3] + 1;
  options->width.stride = all[4] + 1;
  options->height.dilation = all[5] + 1;
  options->width.dilation = all[6] + 1;
  return "";
}

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

}  // namespace keras_dc
