#include "common/adaptive_model.h"

namespace keras_dc {

LogisticTables::LogisticTables() {
  for (size_t i = 0; i < squash.size(); ++i) {
    const size_t cell = i >> kSquashStepBits;
    const auto part = static_cast<int32_t>(i & ((1 << kSquashStepBits) - 1));
    const int32_t step = kSquash[cell + 1] - kSquash[cell];
    squash[i] = static_cast<uint16_t>(kSquash[cell] +
                                      ((step * part) >> kSquashStepBits));
  }
  // For every 16 probabilities: the least logit whose probability reaches their
  // middle.
  size_t i = 1;
  for (size_t j = 0; j < stretch.size(); ++j) {
    const size_t middle = (j << kStretchBits) + 8;
    while (i + 1 < squash.size() && squash[i] < middle) ++i;
    stretch[j] = static_cast<int16_t>(static_cast<int32_t>(i) - kMaxLogit - 1);
  }
}

const LogisticTables kLogisticTables;

}  // namespace keras_dc
