// What fully connected layers of floats and of int8 share: a batch as an image,
// and how threads divide the rows of the weights.
#ifndef KERAS_DC_SRC_KERNELS_BATCH_ROWS_H_
#define KERAS_DC_SRC_KERNELS_BATCH_ROWS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/thread_pool.h"
#include "kernels/pixel_grid.h"

namespace keras_dc {

// The rows of a batch are the pixels of the image.
inline ConvShape BatchAsImage(size_t batch) {
  ConvShape shape;
  shape.batch = 1;
  shape.height.input = shape.height.output = 1;
  shape.width.input = shape.width.output = static_cast<int64_t>(batch);
  return shape;
}

// Calls `task(begin, end)` for parts of [0, size).
template <typename Task>
void SplitAmongThreads(size_t size, size_t num_threads, ThreadPool* pool,
                       Task task) {
  // More than one for each thread, since a thread may begin late; but long
  // parts, since each begins with memory that is in no cache.
  constexpr size_t kPartsPerThread = 2;
  if (num_threads <= 1) return task(size_t{0}, size);
  const size_t num_parts = std::min(size, num_threads * kPartsPerThread);
  pool->ParallelFor(num_parts, num_threads, [&](size_t part, size_t) {
    task(size * part / num_parts, size * (part + 1) / num_parts);
  });
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_BATCH_ROWS_H_
