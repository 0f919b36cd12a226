// Several blobs in one tensor (FORMAT.md, 11): small ones share what a tensor
// and a buffer of the flatbuffer take.
#ifndef KERAS_DC_SRC_TFLITE_BUNDLE_H_
#define KERAS_DC_SRC_TFLITE_BUNDLE_H_

#include <cstddef>

#include "tflite/blob_cache.h"
#include "tflite/op.h"

namespace keras_dc {

// Whether a constant tensor holds a bundle.
bool IsBundle(const TfLiteTensor& tensor);

// The blob that a constant tensor holds: the one at `place`, from 0, of a
// bundle, else all of it.
Error GetBlobAt(const TfLiteTensor& tensor, size_t place, Blob* blob);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_BUNDLE_H_
