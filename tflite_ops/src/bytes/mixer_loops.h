// The loops of the mixer, for several instruction sets (PACK.md, 4.2).
#ifndef KERAS_DC_SRC_BYTES_MIXER_LOOPS_H_
#define KERAS_DC_SRC_BYTES_MIXER_LOOPS_H_

#include <cstddef>
#include <cstdint>

namespace keras_dc {

inline constexpr int32_t kMostMixerWeight = (1 << 19) - 1;

struct MixerLoops {
  // The sum of the products, each shifted right by 5.
  int32_t (*dot_product)(const int32_t* weights, const int32_t* logits,
                         size_t size);
  // Moves each weight by its logit times `error` / 2^14, rounded, and bounds
  // it.
  void (*move_weights)(int32_t error, const int32_t* logits, size_t size,
                       int32_t* weights);
};

const MixerLoops& FastestMixerLoops();

// For x86 with AVX2.
extern const MixerLoops kAvx2MixerLoops;

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_BYTES_MIXER_LOOPS_H_
