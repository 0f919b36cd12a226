#include "common/adaptive_model.h"

namespace keras_dc {
namespace {

// For every 16 probabilities: the least logit whose probability reaches their
// middle.
StretchTable MakeStretchTable() {
  StretchTable table{};
  int32_t logit = -kMaxLogit;
  for (size_t i = 0; i < table.size(); ++i) {
    const int32_t middle = static_cast<int32_t>(i << kStretchBits) + 8;
    while (logit < kMaxLogit && Squash(logit) < middle) ++logit;
    table[i] = static_cast<int16_t>(logit);
  }
  return table;
}

}  // namespace

const StretchTable kStretch = MakeStretchTable();

}  // namespace keras_dc
