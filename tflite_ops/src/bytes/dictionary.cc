#include "bytes/dictionary.h"

namespace keras_dc {

void LearnDictionary(ByteModel* model) {
  ByteRun run;
  model->BeginRun(run);
  for (size_t i = 0; i < kDictionarySize; ++i) {
    for (int place = 7; place >= 0; --place) {
      model->Predict();
      model->Update((kDictionary[i] >> place) & 1);
    }
  }
}

}  // namespace keras_dc
