#include "kernels/pool_2d.h"

#include <algorithm>
#include <cstdint>

namespace keras_dc {
namespace {

// With fewer numbers to read a thread costs more time than it saves.
constexpr size_t kMinInputsPerThread = 256 * 1024;

}  // namespace

void Pool2D(Pooling pooling, const ConvShape& shape, size_t channels,
            const OutputRange& range, Isa isa, size_t num_threads,
            ThreadPool* pool, const float* input, float* output) {
  const auto run = TileKernelOf(isa).pool_line;
  const ConvAxis& rows = shape.height;
  const auto height = static_cast<size_t>(rows.output);
  const size_t input_line = static_cast<size_t>(shape.width.input) * channels;
  const size_t output_line = static_cast<size_t>(shape.width.output) * channels;
  PoolLine common;
  common.is_max = pooling == Pooling::kMax;
  common.input_width = shape.width.input;
  common.channels = channels;
  common.kernel_width = shape.width.kernel;
  common.stride = shape.width.stride;
  common.padding = shape.width.padding;
  common.output_width = shape.width.output;
  common.lowest = range.lowest;
  common.highest = range.highest;
  const auto run_line = [&](size_t number) {
    const int64_t first =
        static_cast<int64_t>(number % height) * rows.stride - rows.padding;
    const int64_t begin = std::max<int64_t>(first, 0);
    const int64_t end = std::min(first + rows.kernel, rows.input);
    PoolLine line = common;
    line.num_rows = static_cast<size_t>(end - begin);
    line.input = input + (number / height * static_cast<size_t>(rows.input) +
                          static_cast<size_t>(begin)) *
                             input_line;
    line.output = output + number * output_line;
    run(line);
  };
  const size_t num_lines = shape.batch * height;
  const size_t num_inputs =
      num_lines * output_line *
      static_cast<size_t>(rows.kernel * shape.width.kernel);
  const size_t num_workers =
      std::min({num_threads, 1 + num_inputs / kMinInputsPerThread, num_lines});
  if (num_workers <= 1) {
    for (size_t line = 0; line < num_lines; ++line) run_line(line);
    return;
  }
  pool->ParallelFor(num_lines, num_workers,
                    [&](size_t line, size_t) { run_line(line); });
}

}  // namespace keras_dc
