#include "bytes/dictionary.h"

#include <algorithm>

namespace keras_dc {

void LearnDictionary(ByteModel* model) {
  // Two bytes of length before each part.
  for (size_t at = 0; at + 2 < kDictionarySize;) {
    size_t end = at + 2 + kDictionary[at] + size_t{256} * kDictionary[at + 1];
    end = std::min(end, kDictionarySize);
    model->BeginRun({});
    for (at += 2; at < end; ++at) {
      for (int place = 7; place >= 0; --place) {
        model->Predict();
        model->Update((kDictionary[at] >> place) & 1);
      }
    }
  }
}

}  // namespace keras_dc
