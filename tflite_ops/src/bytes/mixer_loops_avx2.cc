#include "bytes/mixer_loops_impl.h"

namespace keras_dc {

const MixerLoops kAvx2MixerLoops = {DotProduct, MoveWeights};

}  // namespace keras_dc
