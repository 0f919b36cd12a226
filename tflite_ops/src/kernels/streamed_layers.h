// Layers whose weights are decoded at every run.
#ifndef KERAS_DC_SRC_KERNELS_STREAMED_LAYERS_H_
#define KERAS_DC_SRC_KERNELS_STREAMED_LAYERS_H_

#include <cstddef>

#include "common/thread_pool.h"
#include "keras_dc/codec.h"
#include "kernels/activation.h"
#include "kernels/conv_2d.h"
#include "kernels/forms/streamed_weights.h"
#include "kernels/fully_connected.h"

namespace keras_dc {

// As FullyConnected::Run. `plan` is one for as many rows as `weights` has in a
// range; the layer has `num_rows` and `num_columns`. May throw std::bad_alloc.
kdc_status RunStreamed(const StreamedWeights& weights,
                       const FullyConnectedPlan& plan, size_t num_rows,
                       size_t num_columns, const float* input,
                       const float* bias, Activation activation,
                       ThreadPool* pool, float* output);

// As Conv2D::Run for a kernel of `filters` filters. `plan` is one for as many
// as `weights` has rows in a range. May throw std::bad_alloc.
kdc_status RunStreamed(const StreamedWeights& weights, const ConvPlan& plan,
                       size_t filters, const float* input, const float* bias,
                       Activation activation, ThreadPool* pool, float* output);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_KERNELS_STREAMED_LAYERS_H_
