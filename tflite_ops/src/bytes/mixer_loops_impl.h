// The one text of the mixer's loops. Each file that includes it is compiled for
// one instruction set; the functions are static, so that the linker uses no
// copy for newer instructions elsewhere.
#ifndef KERAS_DC_SRC_BYTES_MIXER_LOOPS_IMPL_H_
#define KERAS_DC_SRC_BYTES_MIXER_LOOPS_IMPL_H_

#include <cstddef>
#include <cstdint>

#include "bytes/mixer_loops.h"

namespace keras_dc {

static int32_t DotProduct(const int32_t* weights, const int32_t* logits,
                          size_t size) {
  int32_t sum = 0;
  for (size_t i = 0; i < size; ++i) sum += (weights[i] * logits[i]) >> 5;
  return sum;
}

static void MoveWeights(int32_t error, const int32_t* logits, size_t size,
                        int32_t* weights) {
  for (size_t i = 0; i < size; ++i) {
    const int32_t moved = weights[i] + ((logits[i] * error + (1 << 13)) >> 14);
    const int32_t most = moved > kMostMixerWeight ? kMostMixerWeight : moved;
    weights[i] = most < -kMostMixerWeight ? -kMostMixerWeight : most;
  }
}

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_MIXER_LOOPS_IMPL_H_
